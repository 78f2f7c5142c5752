/** Signing in without a word in H5: the bridge's code, or OAuth through the account's or WeCom's page. */
import type { Request } from '@/api/request'
import type { SilentSignIn } from '../types'
import { bridge, flavour } from './where'

const TRIED = 'houqin.oauth'
const AGAIN_MS = 60000

export async function silentSignIn(request: Request): Promise<SilentSignIn | null> {
  const returned = returnedCode()
  if (returned) return returned
  if (bridge) {
    const { code } = await bridge<{ code: string }>('login')
    return { path: '/login/mini', json: { code } }
  }
  if (flavour !== 'official' && flavour !== 'wecom') return null
  if (triedJustNow()) return null
  const { data } = await request<{ url: string }>('GET', `/login/${flavour}/url`, { query: { to: `/m/${location.hash || '#/'}` }, bare: true })
  remember(flavour)
  location.replace(data.url)
  return new Promise(() => undefined) // the page is being left
}

/** `/m/?code=&state=#/…`: taken out of the address so that a reload does not use it twice. */
function returnedCode(): SilentSignIn | null {
  const query = new URLSearchParams(location.search)
  const code = query.get('code')
  const state = query.get('state')
  if (!code || state === null) return null
  query.delete('code')
  query.delete('state')
  query.delete('appid')
  const rest = query.toString()
  history.replaceState(history.state, '', `${location.pathname}${rest ? `?${rest}` : ''}${location.hash}`)
  const way = asked() ?? (flavour === 'wecom' ? 'wecom' : 'official')
  return { path: way === 'wecom' ? '/login/wecom' : '/login/official', json: { code, state }, returned: true }
}

function remember(way: string) {
  try {
    sessionStorage.setItem(TRIED, JSON.stringify({ way, at: Date.now() }))
  } catch {
    // private browsing without storage: at worst the question is asked again
  }
}

function tried(): { way: string; at: number } | null {
  try {
    return JSON.parse(sessionStorage.getItem(TRIED) ?? 'null')
  } catch {
    return null
  }
}

const asked = () => tried()?.way ?? null
const triedJustNow = () => Date.now() - (tried()?.at ?? 0) < AGAIN_MS
