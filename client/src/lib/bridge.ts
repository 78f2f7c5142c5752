/**
 * The sandbox phone's side door: H5 in a frame of the phone simulator asks its parent for what a
 * mini-program asks WeChat for. Only a loopback parent of a loopback page, or an origin that /m/config.js
 * lists, is spoken to; messages from anybody else are not heard.
 */
export type BridgeApi = 'login' | 'scanCode' | 'requestSubscribeMessage' | 'getPhoneNumber' | 'setNavigationBarTitle' | 'requestPayment'

const LOOPBACK = /^https?:\/\/(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

export function isLoopback(origin: string): boolean {
  return LOOPBACK.test(origin)
}

/** The bridge's origin if it may be used, else null. `asked` is what the address says. */
export function trustedBridge(asked: string | null | undefined, here: string, listed: readonly string[] = []): string | null {
  if (!asked) return null
  let origin: string
  try {
    origin = new URL(asked).origin
  } catch {
    return null
  }
  if (origin === 'null') return null
  if (listed.includes(origin)) return origin
  return isLoopback(origin) && isLoopback(here) ? origin : null
}

export class BridgeRefused extends Error {}

interface Frame {
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void
  parent: { postMessage(message: unknown, targetOrigin: string): void }
}

export function createBridge(frame: Frame, origin: string, timer: (run: () => void, ms: number) => unknown = setTimeout) {
  const waiting = new Map<string, { yes: (value: unknown) => void; no: (error: Error) => void }>()
  let count = 0

  frame.addEventListener('message', (event) => {
    const said = event.data as { source?: string; id?: string; ok?: boolean; result?: unknown; error?: unknown } | null
    if (event.origin !== origin || event.source !== (frame.parent as unknown)) return
    if (!said || said.source !== 'houqin-phone' || typeof said.id !== 'string') return
    const asked = waiting.get(said.id)
    if (!asked) return
    waiting.delete(said.id)
    if (said.ok) asked.yes(said.result)
    else asked.no(new BridgeRefused(typeof said.error === 'string' ? said.error : JSON.stringify(said.error ?? 'refused')))
  })

  return function ask<T>(api: BridgeApi, args: Record<string, unknown> = {}, timeoutMs = 120000): Promise<T> {
    count += 1
    const id = `h${count}`
    return new Promise<T>((yes, no) => {
      waiting.set(id, { yes: yes as (value: unknown) => void, no })
      timer(() => {
        if (waiting.delete(id)) no(new BridgeRefused('timeout'))
      }, timeoutMs)
      frame.parent.postMessage({ source: 'houqin-client', id, api, args }, origin)
    })
  }
}
