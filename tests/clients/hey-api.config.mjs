// The SDK validates responses with zod, so that the walk finds any difference from the schema. It cannot validate requests:
// its schema of an uploaded file is a string.
export default {
  input: "schema.json",
  output: "out/hey-api",
  plugins: ["@hey-api/client-fetch", "@hey-api/typescript", "zod", { name: "@hey-api/sdk", validator: { response: "zod" } }],
};
