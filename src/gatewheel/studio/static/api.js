// Gatewheel's API as functions: JSON in, JSON out, server-sent events as an async iterator. Knows nothing about pages.

export class ApiError extends Error {
  constructor(status, error) {
    super(error?.message || `the server answered ${status}`);
    this.status = status;
    this.code = error?.code ?? "";
  }
}

let leaving = false;

export async function get(path, query = {}) {
  return (await send("GET", withQuery(path, query))).json();
}

export async function text(path) {
  return (await send("GET", path)).text();
}

export async function post(path, body = {}) {
  return (await send("POST", path, json(body))).json();
}

export async function put(path, body = {}) {
  return (await send("PUT", path, json(body))).json();
}

export async function upload(path, files) {
  const form = new FormData();
  for (const file of files) form.append("files", file, file.name);
  return (await send("POST", path, { body: form })).json();
}

export async function remove(path) {
  const response = await send("DELETE", path);
  return response.status === 204 ? null : response.json();
}

// Yields {event, data} for each event of a stream; `body` makes it a POST.
export async function* events(path, { body, signal } = {}) {
  const options = body === undefined ? { signal } : { ...json(body), signal };
  const response = await send(body === undefined ? "GET" : "POST", path, options);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    yield* parse(reader);
  } finally {
    reader.cancel().catch(() => {}); // a browser has six connections to a server: none may be left open
  }
}

export function documentPath(source) {
  // a browser resolves "." and ".." and may fold empty segments, so a source that has them travels as one segment
  const parts = source.split("/");
  const odd = parts.some((part) => part === "" || part === "." || part === "..");
  return odd ? encodeURIComponent(source) : parts.map(encodeURIComponent).join("/");
}

export function documentHref(source, span) {
  return `/documents/${documentPath(source)}${span ? `?span=${span[0]}-${span[1]}` : ""}`;
}

// The Evaluate page with these reports side by side, the first as the base.
export function sideBySide(reports, choices = {}) {
  const query = new URLSearchParams(Object.entries(choices).filter(([, text]) => text));
  for (const id of reports) query.append("report", id.slice(0, 12));
  return query.size ? `/evaluate?${query}` : "/evaluate";
}

export function withQuery(path, query) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

function json(body) {
  return { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
}

async function send(method, path, options = {}) {
  let response;
  try {
    response = await fetch(path, { method, credentials: "same-origin", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, { message: "Gatewheel does not answer; is `gatewheel serve` still running?" });
  }
  if (response.ok) return response;
  if (response.status === 401 && location.pathname !== "/login") {
    if (!leaving) location.replace(withQuery("/login", { next: location.pathname + location.search }));
    leaving = true; // several calls may be refused at once
    await new Promise(() => {});
  }
  const answer = await response.json().catch(() => ({}));
  throw new ApiError(response.status, answer.error);
}

// The parser of the HTML standard, section 9.2.6, without `id` and `retry`, which Gatewheel does not send.
async function* parse(reader) {
  let rest = "";
  let event = "";
  let data = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) {
      if (line === "") {
        if (data.length) yield { event: event || "message", data: JSON.parse(data.join("\n")) };
        event = "";
        data = [];
      } else if (line.startsWith("event:")) {
        event = line.slice(6).trim();
      } else if (line.startsWith("data:")) {
        data.push(line.slice(line[5] === " " ? 6 : 5));
      }
    }
  }
}
