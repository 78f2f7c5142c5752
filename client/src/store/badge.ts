/** The number on the inbox tab. Light: asked with an ETag, and only where a tab bar is shown. */
import { api } from '@/api'
import { session } from './session'

const INBOX_TAB = 2
let etag: string | undefined

export async function badge(): Promise<void> {
  if (!session.me) return
  try {
    const answer = await api.unread(etag)
    etag = answer.etag ?? etag
    if (answer.status !== 304) session.me.unread = answer.data.unread
  } catch {
    // the old number stands
  }
  showBadge()
}

export function showBadge(): void {
  const unread = session.me?.unread ?? 0
  const quiet = { fail: () => undefined }
  if (unread > 0) uni.setTabBarBadge({ index: INBOX_TAB, text: unread > 99 ? '99+' : String(unread), ...quiet })
  else uni.removeTabBarBadge({ index: INBOX_TAB, ...quiet })
}
