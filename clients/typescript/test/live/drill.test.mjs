import { test } from "node:test";
import { createClient } from "../../../../config/static/atrium/client.js";
import { drill } from "./drill.mjs";

test("nothing is lost and nothing is done twice while processes are killed", async () => {
  const report = await drill({ createClient, ...JSON.parse(process.env.ATRIUM_DRILL) });
  console.log(`report ${JSON.stringify(report)}`);
});
