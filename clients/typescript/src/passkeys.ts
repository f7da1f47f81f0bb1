/** A credential as JSON, as the server accepts it. */
export type PasskeyCredential = Record<string, unknown>;

export interface PasskeyPrompt {
  /** "conditional" offers passkeys in the form's autofill instead of a dialog. */
  mediation?: "optional" | "required" | "conditional" | "silent";
  signal?: AbortSignal;
}

/** Ask the browser for a passkey. `options` is what the server sent. Throws a DOMException if the user cancels. */
export async function getPasskey(options: unknown, prompt: PasskeyPrompt = {}): Promise<PasskeyCredential> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as PublicKeyCredentialRequestOptionsJSON);
  return toJson(await navigator.credentials.get({ ...prompt, publicKey }));
}

/** Create a passkey in the browser. `options` is what the server sent. Throws a DOMException if the user cancels. */
export async function createPasskey(options: unknown, prompt: { signal?: AbortSignal } = {}): Promise<PasskeyCredential> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as PublicKeyCredentialCreationOptionsJSON);
  return toJson(await navigator.credentials.create({ ...prompt, publicKey }));
}

function toJson(credential: Credential | null): PasskeyCredential {
  if (!credential) throw new DOMException("No passkey was selected.", "NotAllowedError");
  return (credential as PublicKeyCredential).toJSON() as unknown as PasskeyCredential;
}
