/** Pictures behind the permission check, fetched once and kept while the app is open. */
import { platform } from '@/platform'
import { session } from '@/store/session'

const MOST = 80
const kept = new Map<string, Promise<string>>()

export function picture(url: string): Promise<string> {
  const found = kept.get(url)
  if (found) return found
  const coming = platform.picture(url, session.token ? { Authorization: `Bearer ${session.token}` } : {})
  kept.set(url, coming)
  coming.catch(() => kept.delete(url))
  if (kept.size > MOST) kept.delete(kept.keys().next().value as string)
  return coming
}

export const thumb = (url: string) => (/[?&]size=/.test(url) ? url : `${url}${url.includes('?') ? '&' : '?'}size=thumb`)
