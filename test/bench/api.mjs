// What the bench's processes know of Parley's HTTP API: a pool of connections, and a token that goes with every call.
import { Pool } from 'undici';

/** Longest long poll that the server allows, in ms. */
export const LONGEST_POLL_MS = 25_000;

export class Api {
  constructor(url, token, connections = 64) {
    this.pool = new Pool(url, { connections });
    this.headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) };
  }

  /** @returns {Promise<{ status: number, body: any }>} @throws when the answer is not a 2xx */
  async call(method, path, body) {
    const { statusCode: status, body: stream } = await this.pool.request({
      method,
      path: `/api/v1${path}`,
      headers: this.headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const answer = await stream.json();
    if (status >= 300) throw new Error(`${method} ${path} was answered ${status}: ${JSON.stringify(answer)}`);
    return { status, body: answer };
  }

  async post(path, body) {
    return (await this.call('POST', path, body)).body;
  }

  /** Long-polls until it has ended. */
  async resultOf(path) {
    for (;;) {
      const { status } = await this.call('GET', `${path}/result?wait_ms=${LONGEST_POLL_MS}`);
      if (status === 200) return;
    }
  }

  close() {
    return this.pool.destroy();
  }
}

export async function tokenOf(url, clientId, clientSecret) {
  const api = new Api(url, undefined, 1);
  const credentials = { client_id: clientId, client_secret: clientSecret };
  const { access_token: token } = await api.post('/auth/token', {
    grant_type: 'client_credentials',
    ...credentials,
  });
  await api.close();
  return token;
}
