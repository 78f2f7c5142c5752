import { describe, expect, it } from 'vitest'
import { ApiError, createRequester, newKey, NotHeard, withQuery, type Heard, type Sent, type Wiring } from '@/api/request'

type Play = Heard | Error

/** A network that plays a script: an answer, or a silence. */
function network(plays: Play[], over: Partial<Wiring> = {}) {
  const sent: Sent[] = []
  const slept: number[] = []
  const request = createRequester({
    send: async (s) => {
      sent.push(s)
      const play = plays.shift()
      if (!play) throw new Error('the script is over')
      if (play instanceof Error) throw play
      return play
    },
    sleep: async (ms) => void slept.push(ms),
    token: () => 'T',
    renew: async () => false,
    ...over,
  })
  return { request, sent, slept }
}

const ok = (body: unknown = { fine: true }, headers = {}): Heard => ({ status: 200, headers, body })
const no = (status: number, code = 'x', headers = {}): Heard => ({ status, headers, body: { code, detail: '不行', request_id: 'r1' } })

describe('a request over a bad network', () => {
  it('repeats a GET that was not heard, and gives the answer', async () => {
    const { request, sent, slept } = network([new NotHeard('timeout'), new NotHeard('offline'), ok()])
    expect((await request('GET', '/me')).data).toEqual({ fine: true })
    expect(sent).toHaveLength(3)
    expect(slept).toEqual([700, 2000])
  })

  it('gives up after three and says why', async () => {
    const { request, sent } = network([new NotHeard('timeout'), new NotHeard('timeout'), new NotHeard('offline')])
    await expect(request('GET', '/me')).rejects.toMatchObject({ status: 0, code: 'offline' })
    expect(sent).toHaveLength(3)
  })

  it('repeats a write only under one key', async () => {
    const { request, sent } = network([new NotHeard('timeout'), no(504), ok()])
    await request('POST', '/repairs', { json: { a: 1 }, key: 'K' })
    expect(sent.map((s) => s.headers['Idempotency-Key'])).toEqual(['K', 'K', 'K'])
    expect(sent.map((s) => s.body)).toEqual(['{"a":1}', '{"a":1}', '{"a":1}'])
  })

  it('sends a write without a key once', async () => {
    const { request, sent } = network([new NotHeard('timeout'), ok()])
    await expect(request('POST', '/logout')).rejects.toBeInstanceOf(ApiError)
    expect(sent).toHaveLength(1)
  })

  it('does not repeat a refusal', async () => {
    const { request, sent } = network([no(409, 'wrong_state'), ok()])
    await expect(request('POST', '/x', { key: 'K' })).rejects.toMatchObject({ code: 'wrong_state', detail: '不行', problem: { request_id: 'r1' } })
    expect(sent).toHaveLength(1)
  })

  it('waits as long as Retry-After says, unless that is too long to make somebody wait', async () => {
    const short = network([no(503, 'busy', { 'Retry-After': '3' }), ok()])
    await short.request('GET', '/me')
    expect(short.slept).toEqual([3000])
    const long = network([no(503, 'busy', { 'Retry-After': '60' }), ok()])
    await expect(long.request('GET', '/me')).rejects.toMatchObject({ status: 503, retryAfterS: 60 })
  })

  it('does not hammer when told it asks too often', async () => {
    const { request, sent } = network([no(429, 'too_many'), ok()])
    await expect(request('GET', '/me')).rejects.toMatchObject({ status: 429 })
    expect(sent).toHaveLength(1)
  })
})

describe('a token that is refused', () => {
  it('is renewed once and the request repeated, a write too', async () => {
    let token = 'old'
    const { request, sent } = network([no(401), ok()], {
      token: () => token,
      renew: async () => {
        token = 'new'
        return true
      },
    })
    await request('POST', '/logout')
    expect(sent.map((s) => s.headers.Authorization)).toEqual(['Bearer old', 'Bearer new'])
  })

  it('is not renewed twice', async () => {
    const { request, sent } = network([no(401), no(401)], { renew: async () => true })
    await expect(request('GET', '/me')).rejects.toMatchObject({ status: 401 })
    expect(sent).toHaveLength(2)
  })

  it('is not renewed for the request that signs in, which carries none', async () => {
    const { request, sent } = network([no(401)], { renew: () => Promise.reject(new Error('must not')) })
    await expect(request('POST', '/login/mini', { bare: true })).rejects.toMatchObject({ status: 401 })
    expect(sent[0].headers.Authorization).toBeUndefined()
  })
})

describe('the shape of a request', () => {
  it('carries ETag and hears 304, Retry-After and ETag back', async () => {
    const { request, sent } = network([{ status: 304, headers: { ETag: '"b"', 'retry-after': '15' }, body: null }])
    const answer = await request('GET', '/inbox/unread', { etag: '"a"' })
    expect(sent[0].headers['If-None-Match']).toBe('"a"')
    expect(answer).toMatchObject({ status: 304, etag: '"b"', retryAfterS: 15 })
  })

  it('sends photo bytes as they are, with their type and more time', async () => {
    const { request, sent } = network([ok()])
    const data = new ArrayBuffer(3)
    await request('POST', '/photos', { bytes: { type: 'image/png', data }, key: 'K' })
    expect(sent[0]).toMatchObject({ body: data, timeoutMs: 60000 })
    expect(sent[0].headers['Content-Type']).toBe('image/png')
  })

  it('reads a problem that came as text, and survives a page of HTML', async () => {
    const text = network([{ status: 403, headers: {}, body: '{"code":"forbidden","detail":"没有权限"}' }])
    await expect(text.request('GET', '/x')).rejects.toMatchObject({ code: 'forbidden', detail: '没有权限' })
    const html = network([{ status: 404, headers: {}, body: '<html>' }])
    await expect(html.request('GET', '/x')).rejects.toMatchObject({ code: 'http_404', detail: '' })
  })

  it('leaves out what was not said', () => {
    expect(withQuery('/places', { parent: undefined, q: '3号 楼', limit: 5, cursor: null })).toBe('/places?q=3%E5%8F%B7%20%E6%A5%BC&limit=5')
    expect(withQuery('/me', {})).toBe('/me')
  })

  it('makes keys the service takes', () => {
    expect(newKey()).toMatch(/^[A-Za-z0-9_-]{8,64}$/)
    expect(newKey()).not.toBe(newKey())
  })
})
