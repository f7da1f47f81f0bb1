// The typed client for this site's own pages: it sends the session cookie. `clients/typescript/README.md` describes it.
import { createClient } from "./client.js";

// A person sees an error sooner than a program gives up.
export const atrium = createClient({ credentials: "cookie", maxRetries: 2, maxRetryDelay: 2000 });
