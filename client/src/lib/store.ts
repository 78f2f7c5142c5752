/** What is kept on the phone. A full or forbidden storage loses the memory, not the page. */
import type { Store } from './draft'

/**
 * In the sandbox's phone one browser is several people's phones: `as` in the frame's address says whose, and each
 * has a memory of its own. The tab remembers it, because the ways back from OAuth lose the query.
 */
function own(name: string): string {
  if (typeof window === 'undefined' || window.parent === window || typeof sessionStorage === 'undefined') return name
  const said = new URLSearchParams(window.location.search).get('as')
  if (said) sessionStorage.setItem('houqin.as', said)
  const whose = said ?? sessionStorage.getItem('houqin.as')
  return whose ? `${name}@${whose}` : name
}

export const storage: Store = {
  get(name) {
    try {
      return uni.getStorageSync(own(name)) || null
    } catch {
      return null
    }
  },
  set(name, value) {
    try {
      uni.setStorageSync(own(name), value)
    } catch {
      // not kept
    }
  },
  remove(name) {
    try {
      uni.removeStorageSync(own(name))
    } catch {
      // not kept
    }
  },
}
