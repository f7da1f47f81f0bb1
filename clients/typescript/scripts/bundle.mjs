// Write the client with its dependency as one module, for pages without a bundler.
//
//   node scripts/bundle.mjs FILE
import { build } from "esbuild";

const [target] = process.argv.slice(2);
await build({
  entryPoints: ["src/index.ts"],
  outfile: target,
  bundle: true,
  minify: true,
  keepNames: true, // the classes of errors are shown in consoles
  format: "esm",
  platform: "neutral",
  mainFields: ["module", "main"],
  target: "es2022",
  legalComments: "none",
  banner: {
    js:
      "/* The typed client of Atrium's API, built from clients/typescript by bin/build-client: do not edit.\n" +
      "   Contains openapi-fetch 0.17.0, (c) 2023 Drew Powers, MIT License: clients/typescript/THIRD-PARTY.md */",
  },
});
