// Calls to the API. What goes wrong comes back as an ApiError with the server's sentence.

/** Whose actions `z` takes back: this tab's, across pages and reloads. */
export const session = sessionStorage.getItem("session") ?? crypto.randomUUID();
sessionStorage.setItem("session", session);

export class ApiError extends Error {
  /** @param {string} sentence @param {number} status 0 where nothing answered @param {any} answer */
  constructor(sentence, status, answer = {}) {
    super(sentence);
    this.status = status;
    this.answer = answer;
  }

  /** Whether the same call may succeed later: nothing answered, or what fineshyt needs is away. */
  get passing() {
    return this.status === 0 || [408, 425, 429, 502, 503, 504].includes(this.status);
  }
}

/**
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body]
 * @param {string} [accept]
 * @returns {Promise<Response>}
 */
async function request(method, path, body, accept = "application/json") {
  /** @type {RequestInit & { headers: Record<string, string> }} */
  const options = { method, headers: { Accept: accept } };
  if (body instanceof FormData) options.body = body;
  else if (body !== undefined) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    return await fetch(path, options);
  } catch {
    throw new ApiError("fineshyt does not answer. Is it still running?", 0);
  }
}

/** @param {string} method @param {string} path @param {unknown} [body] @returns {Promise<any>} */
export async function call(method, path, body) {
  const response = await request(method, path, body);
  const answer = (response.headers.get("Content-Type") ?? "").includes("json") ? await response.json() : {};
  if (!response.ok) throw new ApiError(answer.detail ?? `The server answered ${response.status}.`, response.status, answer);
  return answer;
}

/** @param {string} path */
export const get = (path) => call("GET", path);
/** @param {string} path @param {unknown} [body] */
export const post = (path, body) => call("POST", path, body ?? {});
/** @param {string} path @param {unknown} body */
export const put = (path, body) => call("PUT", path, body);

/**
 * The ids of a view, in order: four or eight bytes each, for a million of them are read every few seconds.
 * @param {URLSearchParams} view
 * @returns {Promise<{ ids: Float64Array | Uint32Array, sort: string, note: string | null }>} `note`: what the search says
 */
export async function orderedIds(view) {
  const response = await request("GET", `/api/photos/ids?${view}`, undefined, "application/octet-stream");
  if (!response.ok) {
    const answer = await response.json().catch(() => ({}));
    throw new ApiError(answer.detail ?? `The server answered ${response.status}.`, response.status, answer);
  }
  const bytes = await response.arrayBuffer();
  const wide = response.headers.get("X-Id-Bytes") === "8";
  const ids = wide ? Float64Array.from(new BigUint64Array(bytes), Number) : new Uint32Array(bytes);
  const note = response.headers.get("X-Note");
  return { ids, sort: response.headers.get("X-Sort") ?? "-captured", note: note && decodeURIComponent(note) };
}
