module.exports = { atrium: { input: "schema.json", output: { target: "out/orval/client.ts", client: "fetch" } } };
