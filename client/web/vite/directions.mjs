// `/certificate.json` of a development server: what the game server tells, and where WebTransport finds it.

const ASK_MS = 5000;

/** A middleware. It calls `asked` when the game server has answered. */
export function directions(server, asked) {
  const address = new URL('/certificate.json', server);
  return async (request, response) => {
    response.setHeader('cache-control', 'no-store');
    let hashes = [];
    try {
      const answer = await fetch(address, { signal: AbortSignal.timeout(ASK_MS) });
      if (answer.ok) ({ hashes } = await answer.json());
      else if (answer.status !== 404) throw new Error(`it answers ${answer.status}`);
    } catch (error) {
      const why = error.cause?.code ?? error.message;
      response.statusCode = 503;
      response.setHeader('content-type', 'text/plain; charset=utf-8');
      const start = 'start it, with `cargo run` in its folder; if it is at another port, start this server with `TICKWIRE_SERVER=http://localhost:PORT`';
      return response.end(`the game server does not answer at ${server.href} (${why}): ${start}`);
    }
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ hashes, webTransportUrl: webTransportUrl(server, request.headers.host) }));
    asked();
  };
}

/** For a browser on another machine, this machine's own name leads elsewhere: it takes the name that it came by. */
export function webTransportUrl(server, host = '') {
  const url = new URL(server);
  const port = url.port || (url.protocol === 'http:' ? '80' : '443');
  url.protocol = 'https:';
  url.port = port;
  if (isThisMachine(url) && URL.canParse(`http://${host}`)) url.hostname = new URL(`http://${host}`).hostname;
  return url.href;
}

/** Whether a URL names the machine that it is used on. */
export function isThisMachine({ hostname }) {
  return ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
}
