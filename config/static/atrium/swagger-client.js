// Show a request of Swagger UI as a call of the typed client, next to curl.
{
  const API = "/api/v1";

  /** Return the path of the schema and the values of its parameters for a path that was requested. */
  const match = (paths, requested) => {
    if (paths.includes(requested)) return { path: requested, values: {} };
    for (const path of paths) {
      const names = [...path.matchAll(/\{(\w+)\}/g)].map((found) => found[1]);
      const found = names.length && requested.match(new RegExp(`^${path.replace(/\./g, "\\.").replace(/\{\w+\}/g, "([^/]+)")}$`));
      if (found) return { path, values: Object.fromEntries(names.map((name, i) => [name, decodeURIComponent(found[i + 1])])) };
    }
    return { path: requested, values: {} };
  };

  const literal = (value) => JSON.stringify(value, null, 2).replace(/^(\s*)"([A-Za-z_]\w*)":/gm, "$1$2:");
  const number = (text) => (/^\d{1,15}$/.test(text) ? Number(text) : text);
  const numbers = (values) => Object.fromEntries(Object.entries(values).map(([name, text]) => [name, number(text)]));

  const plugin = (system) => ({
    fn: {
      requestSnippetGenerator_atrium: (request) => {
        const url = new URL(request.get("url"), location.href);
        const method = request.get("method").toLowerCase();
        const paths = system.specSelectors.specJson().get("paths").keySeq().toArray();
        const { path, values } = match(paths, url.pathname);
        const init = {};
        if (Object.keys(values).length) init.path = numbers(values);
        const query = {};
        for (const [name, value] of url.searchParams) query[name] = name in query ? [query[name], value].flat() : value;
        if (Object.keys(query).length) init.query = numbers(query);
        const body = request.get("body");
        const isForm = body && typeof body === "object";
        if (isForm) init.body = Object.fromEntries(body.entrySeq().map(([name, value]) => [name, value instanceof Blob ? value.name : value]));
        else if (body) {
          try {
            init.body = JSON.parse(body);
          } catch {
            init.body = body;
          }
        }
        const call = `atrium.${isForm && method === "post" ? "upload" : method}`;
        const rest = Object.keys(init).length ? `, ${literal(init)}` : "";
        return `const result = await ${call}("${path.startsWith(API) ? path.slice(API.length) : path}"${rest});`;
      },
    },
  });

  const bundle = window.SwaggerUIBundle;
  window.SwaggerUIBundle = Object.assign((config) => bundle({ ...config, plugins: [...config.plugins, plugin] }), bundle);
}
