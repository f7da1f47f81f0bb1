// "Sign in and use the token": Swagger UI sends its requests with an access token of this page's session. The token is
// only in the memory of this page, and a request gets a new one shortly before the old one expires.
{
  const LEFT = 60; // seconds of validity below which a token is renewed
  const REMEMBER = "atrium.swagger.session"; // in sessionStorage: whether this tab uses the session, never the token
  const [state, signIn, use, stop] = ["session-state", "session-sign-in", "session-use", "session-stop"].map((id) => document.getElementById(id));

  let ui;
  let access = "";
  let renewAt = 0;
  let renewal = null;
  let isReady;
  const ready = new Promise((resolve) => (isReady = resolve));

  const remember = (uses) => {
    try {
      if (uses) sessionStorage.setItem(REMEMBER, "yes");
      else sessionStorage.removeItem(REMEMBER);
      return true;
    } catch {
      // Without storage, the button has to be pressed again after the page is left.
    }
  };
  const remembers = () => {
    try {
      return sessionStorage.getItem(REMEMBER) === "yes";
    } catch {
      return false;
    }
  };

  const request = async () => {
    const { atrium } = await import("./site.js");
    const token = await atrium.post("/auth/token/from-session/");
    access = token.access;
    renewAt = Date.now() + (token.expires_in - LEFT) * 1000;
    ui.preauthorizeApiKey("bearer", access);
  };
  // Several requests at once share one renewal.
  const renew = () => (renewal ??= request().finally(() => (renewal = null)));

  const end = (text) => {
    access = "";
    remember(false);
    ui.authActions.logout(["bearer"]);
    state.textContent = text;
    stop.hidden = true;
  };

  const start = async () => {
    use.setAttribute("aria-busy", "true");
    try {
      await ready;
      await renew();
      remember(true);
      state.textContent = `Requests are sent as ${use.dataset.user}. The token is renewed automatically.`;
      use.hidden = true;
      stop.hidden = false;
    } catch (error) {
      fail(error);
    }
    use.removeAttribute("aria-busy");
  };

  const fail = (error) => {
    if (error.status === 401 || error.status === 403) {
      end("Your session has ended.");
      use.hidden = true;
      signIn.hidden = false;
    } else {
      state.textContent = error.message;
    }
  };

  signIn.addEventListener("click", () => {
    remember(true);
    signIn.href = `/login/?next=${encodeURIComponent(location.pathname + location.hash)}`;
  });
  use.addEventListener("click", start);
  stop.addEventListener("click", () => {
    end("Requests are sent without your account.");
    use.hidden = false;
    use.focus();
  });
  if (use.dataset.user && remembers()) start();

  const bundle = window.SwaggerUIBundle;
  window.SwaggerUIBundle = Object.assign((config) => {
    const requestInterceptor = async (request) => {
      const uses = access && request.headers?.Authorization === `Bearer ${access}`;
      if (uses && Date.now() > renewAt) {
        await renew().catch(fail);
        if (access) request.headers.Authorization = `Bearer ${access}`;
      }
      return config.requestInterceptor(request);
    };
    ui = bundle({ ...config, requestInterceptor, onComplete: isReady });
    return ui;
  }, bundle);
}
