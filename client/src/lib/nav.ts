/** Going from page to page, and remembering where somebody wanted to go. */
const TABS = ['/pages/home/home', '/pages/repairs/repairs', '/pages/inbox/inbox', '/pages/me/me']
export const HOME = TABS[0]

interface Opened {
  route?: string
  options?: Record<string, string>
  $page?: { fullPath?: string }
}

/** The page that is open, with its query. */
export function here(): string {
  const pages = getCurrentPages() as unknown as Opened[]
  const page = pages[pages.length - 1]
  if (!page) return HOME
  if (page.$page?.fullPath) return page.$page.fullPath === '/' ? HOME : page.$page.fullPath
  const query = Object.entries(page.options ?? {})
    .map(([name, value]) => `${name}=${value}`)
    .join('&')
  return `/${page.route}${query ? `?${query}` : ''}`
}

export const isTab = (url: string) => TABS.includes(url.split('?')[0])

/** Only our own pages: a `to` in an address may have been written by anybody. */
export function safePage(to: string | undefined | null): string {
  if (!to) return HOME
  let page = to
  try {
    page = (/%2F/i.test(to) ? decodeURIComponent(to) : to).replace(/^\/m\/(\?[^#]*)?#/, '')
  } catch {
    return HOME
  }
  return /^\/pages\/[a-z-]+\/[a-z-]+(\?[^#]*)?$/.test(page) ? page : HOME
}

export function open(url: string): void {
  if (isTab(url)) void uni.switchTab({ url: url.split('?')[0] })
  else void uni.navigateTo({ url })
}

export const restartAt = (url: string) => void uni.reLaunch({ url })

export function back(): void {
  if (getCurrentPages().length > 1) void uni.navigateBack()
  else restartAt(HOME)
}

export const say = (title: string) => void uni.showToast({ title, icon: 'none', duration: 2600 })

export function sure(title: string, content: string): Promise<boolean> {
  return new Promise((yes) => {
    void uni.showModal({ title, content, confirmColor: '#0b6153', success: (r) => yes(r.confirm), fail: () => yes(false) })
  })
}
