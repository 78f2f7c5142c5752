/**
 * One request to the service over a bad network, with no platform in it (tests hand in `send`).
 *
 * A GET is repeated, and so is a write that carries an Idempotency-Key, under the same key: the service
 * answers a repeat as it answered the first. A write without a key is sent once. A 401 is answered by
 * signing in again, once, and repeating. Everything else becomes an ApiError whose text a student can act on.
 */

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE'

export interface Sent {
  method: Method
  path: string
  headers: Record<string, string>
  body?: string | ArrayBuffer
  timeoutMs: number
  onProgress?: (part: number) => void
}

export interface Heard {
  status: number
  headers: Record<string, string>
  body: unknown
}

/** The answer was not heard: no connection, or none in time. Whether the deed was done is unknown. */
export class NotHeard extends Error {
  constructor(readonly why: 'timeout' | 'offline') {
    super(why)
  }
}

export interface Problem {
  code?: string
  detail?: string
  title?: string
  request_id?: string
  fields?: Record<string, string | string[]>
  [fact: string]: unknown
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly problem: Problem = {},
    readonly retryAfterS: number | null = null,
  ) {
    super(detail || code)
  }
  /** Nothing was heard: say so in the page's own words. */
  get silent(): boolean {
    return this.status === 0
  }
}

export interface Options {
  query?: Record<string, string | number | boolean | null | undefined>
  json?: unknown
  bytes?: { type: string; data: ArrayBuffer }
  key?: string
  etag?: string
  timeoutMs?: number
  onProgress?: (part: number) => void
  /** The request that signs in must not sign in again when refused. */
  bare?: boolean
}

export interface Answer<T> {
  status: number
  data: T
  etag: string | null
  retryAfterS: number | null
}

export interface Wiring {
  send: (request: Sent) => Promise<Heard>
  sleep: (ms: number) => Promise<void>
  token: () => string | null
  /** Sign in again without a word; false when a person has to do something. */
  renew: () => Promise<boolean>
}

const TRIES = 3
const PAUSES_MS = [700, 2000]
const LONGEST_WAIT_S = 8
const WORTH_REPEATING = new Set([429, 502, 503, 504])

export function withQuery(path: string, query: Options['query']): string {
  const parts = Object.entries(query ?? {})
    .filter(([, value]) => value !== undefined && value !== null && value !== '')
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
  return parts.length ? `${path}?${parts.join('&')}` : path
}

/** Enough for a key that nobody else uses; not a secret. */
export function newKey(random: () => number = Math.random): string {
  const digits = '0123456789abcdef'
  return Array.from({ length: 32 }, () => digits[Math.floor(random() * 16)]).join('')
}

export function createRequester(wiring: Wiring) {
  async function once<T>(method: Method, path: string, options: Options): Promise<Answer<T>> {
    const headers: Record<string, string> = { Accept: 'application/json, application/problem+json' }
    const token = wiring.token()
    if (token && !options.bare) headers.Authorization = `Bearer ${token}`
    if (options.key) headers['Idempotency-Key'] = options.key
    if (options.etag) headers['If-None-Match'] = options.etag
    let body: string | ArrayBuffer | undefined
    if (options.bytes) {
      headers['Content-Type'] = options.bytes.type
      body = options.bytes.data
    } else if (options.json !== undefined) {
      headers['Content-Type'] = 'application/json'
      body = JSON.stringify(options.json)
    }
    const heard = await wiring.send({
      method,
      path: withQuery(path, options.query),
      headers,
      body,
      timeoutMs: options.timeoutMs ?? (options.bytes ? 60000 : 12000),
      onProgress: options.onProgress,
    })
    const found = lower(heard.headers)
    const retryAfterS = seconds(found['retry-after'])
    if (heard.status === 304 || (heard.status >= 200 && heard.status < 300))
      return { status: heard.status, data: heard.body as T, etag: found.etag ?? null, retryAfterS }
    const problem = asProblem(heard.body)
    throw new ApiError(heard.status, problem.code ?? `http_${heard.status}`, problem.detail ?? problem.title ?? '', problem, retryAfterS)
  }

  return async function request<T>(method: Method, path: string, options: Options = {}): Promise<Answer<T>> {
    const repeatable = method === 'GET' || Boolean(options.key)
    let renewed = false
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once<T>(method, path, options)
      } catch (error) {
        if (error instanceof ApiError && error.status === 401 && !options.bare && !renewed) {
          renewed = true
          if (await wiring.renew()) {
            attempt -= 1
            continue
          }
          throw error
        }
        const known = error instanceof ApiError || error instanceof NotHeard
        if (!known) throw error
        const wait = pause(error, attempt)
        if (!repeatable || wait === null || attempt >= TRIES) throw asApiError(error)
        await wiring.sleep(wait)
      }
    }
  }
}

export type Request = ReturnType<typeof createRequester>

function pause(error: ApiError | NotHeard, attempt: number): number | null {
  const usual = PAUSES_MS[Math.min(attempt, PAUSES_MS.length) - 1]
  if (error instanceof NotHeard) return usual
  if (!WORTH_REPEATING.has(error.status)) return null
  if (error.retryAfterS === null) return error.status === 429 ? null : usual
  return error.retryAfterS <= LONGEST_WAIT_S ? error.retryAfterS * 1000 : null
}

function asApiError(error: ApiError | NotHeard): ApiError {
  return error instanceof ApiError ? error : new ApiError(0, error.why, '')
}

function asProblem(body: unknown): Problem {
  if (typeof body === 'string') {
    try {
      body = JSON.parse(body)
    } catch {
      return {}
    }
  }
  return body && typeof body === 'object' ? (body as Problem) : {}
}

function lower(headers: Record<string, string>): Record<string, string> {
  const found: Record<string, string> = {}
  for (const [name, value] of Object.entries(headers ?? {})) found[name.toLowerCase()] = Array.isArray(value) ? value[0] : value
  return found
}

function seconds(text: string | undefined): number | null {
  const value = Number(text)
  return text !== undefined && text !== '' && Number.isFinite(value) && value >= 0 ? value : null
}
