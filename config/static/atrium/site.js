// How this site's own pages get data. `clients/typescript/README.md` describes the client.
import { NetworkError, createClient, nextQuery, randomKey, toError } from "./client.js";

export { NetworkError, nextQuery, randomKey };

// The typed client: it sends the session cookie. A person sees an error sooner than a program gives up.
export const atrium = createClient({ credentials: "cookie", maxRetries: 2, maxRetryDelay: 2000 });

// Return the JSON of a response, or throw its error.
export async function readJson(response) {
  if (!response.ok) throw toError(response, await response.text());
  return response.json();
}

// Get JSON that only these pages need, outside the API, with the same errors.
export async function getPageData(path, { signal } = {}) {
  const response = await fetch(path, { signal }).catch((error) => {
    throw signal?.aborted ? error : new NetworkError(undefined, { cause: error });
  });
  return readJson(response);
}
