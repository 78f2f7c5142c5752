import { describe, expect, it } from 'vitest'
import { createBridge, trustedBridge } from '@/lib/bridge'

describe('whose bridge is spoken to', () => {
  it.each([
    ['http://127.0.0.1:8001', 'http://127.0.0.1:8000', [], 'http://127.0.0.1:8001'],
    ['http://localhost:8001/phone', 'http://127.0.0.1:8000', [], 'http://localhost:8001'],
    ['http://127.0.0.1:8001', 'https://houqin.example.edu.cn', [], null],
    ['https://evil.example', 'http://127.0.0.1:8000', [], null],
    ['http://127.0.0.1.evil.example', 'http://127.0.0.1:8000', [], null],
    ['http://localhost.evil.example:8001', 'http://127.0.0.1:8000', [], null],
    ['https://phone.example', 'https://houqin.example', ['https://phone.example'], 'https://phone.example'],
    ['https://phone.example.evil', 'https://houqin.example', ['https://phone.example'], null],
    ['javascript:alert(1)', 'http://127.0.0.1:8000', [], null],
    ['not an address', 'http://127.0.0.1:8000', [], null],
    [null, 'http://127.0.0.1:8000', [], null],
  ])('%s from %s', (asked, here, listed, origin) => {
    expect(trustedBridge(asked, here, listed as string[])).toBe(origin)
  })
})

describe('the bridge', () => {
  function phone() {
    const posted: { message: Record<string, unknown>; to: string }[] = []
    const parent = { postMessage: (message: unknown, to: string) => void posted.push({ message: message as Record<string, unknown>, to }) }
    let listener: (e: MessageEvent) => void = () => undefined
    const timers: (() => void)[] = []
    const ask = createBridge({ addEventListener: (_: string, l: (e: MessageEvent) => void) => (listener = l), parent }, 'http://127.0.0.1:8001', (run) => timers.push(run))
    const hear = (data: unknown, origin = 'http://127.0.0.1:8001', source: unknown = parent) => listener({ data, origin, source } as MessageEvent)
    return { ask, posted, hear, timers }
  }

  it('asks its own origin and hears the answer under the same id', async () => {
    const { ask, posted, hear } = phone()
    const first = ask('login')
    const second = ask('scanCode')
    expect(posted[0]).toEqual({ to: 'http://127.0.0.1:8001', message: { source: 'houqin-client', id: 'h1', api: 'login', args: {} } })
    hear({ source: 'houqin-phone', id: 'h2', ok: true, result: { result: 'D' } })
    hear({ source: 'houqin-phone', id: 'h1', ok: true, result: { code: 'C' } })
    expect(await first).toEqual({ code: 'C' })
    expect(await second).toEqual({ result: 'D' })
  })

  it('hears nobody else', async () => {
    const { ask, hear } = phone()
    const login = ask<{ code: string }>('login')
    hear({ source: 'houqin-phone', id: 'h1', ok: true, result: { code: 'forged' } }, 'https://evil.example')
    hear({ source: 'houqin-phone', id: 'h1', ok: true, result: { code: 'forged' } }, 'http://127.0.0.1:8001', {})
    hear({ source: 'other', id: 'h1', ok: true, result: { code: 'forged' } })
    hear(null)
    hear({ source: 'houqin-phone', id: 'h1', ok: true, result: { code: 'true' } })
    expect((await login).code).toBe('true')
  })

  it('a no is an error, and a silence too', async () => {
    const { ask, hear, timers } = phone()
    const refused = ask('getPhoneNumber')
    hear({ source: 'houqin-phone', id: 'h1', ok: false, error: 'getPhoneNumber:fail user deny' })
    await expect(refused).rejects.toThrow('user deny')
    const silent = ask('login')
    timers[1]()
    await expect(silent).rejects.toThrow('timeout')
  })
})
