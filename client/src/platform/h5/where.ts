/** Where this page is open: inside the sandbox phone, WeChat, WeCom, Alipay, or a browser of its own. */
import { createBridge, trustedBridge } from '@/lib/bridge'

export type Flavour = 'bridge' | 'official' | 'wecom' | 'alipay' | 'browser'

const query = new URLSearchParams(location.search)

/** Kept for the tab: the ways back from SSO and OAuth lose the address's query. */
function kept(name: string): string | null {
  const said = query.get(name)
  try {
    if (said) sessionStorage.setItem(`houqin.${name}`, said)
    return said ?? sessionStorage.getItem(`houqin.${name}`)
  } catch {
    return said
  }
}

const framed = window.parent !== window
const origin = framed ? trustedBridge(kept('bridge'), location.origin, window.HOUQIN?.bridges ?? []) : null

/** Whose phone the simulator is playing, as far as the tab remembers; and whether this address says it itself. */
export const playing = origin ? kept('as') : null
export const playingForSure = origin !== null && query.has('as')

export const bridge = origin ? createBridge(window, origin) : null

function look(): Flavour {
  if (bridge) return 'bridge'
  const agent = navigator.userAgent
  if (/wxwork/i.test(agent)) return 'wecom'
  if (/MicroMessenger/i.test(agent)) return 'official'
  if (/AlipayClient/i.test(agent)) return 'alipay'
  const via = kept('via')
  return via === 'official' || via === 'wecom' ? via : 'browser'
}

export const flavour: Flavour = look()
