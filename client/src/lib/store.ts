/** What is kept on the phone. A full or forbidden storage loses the memory, not the page. */
import type { Store } from './draft'

export const storage: Store = {
  get(name) {
    try {
      return uni.getStorageSync(name) || null
    } catch {
      return null
    }
  },
  set(name, value) {
    try {
      uni.setStorageSync(name, value)
    } catch {
      // not kept
    }
  },
  remove(name) {
    try {
      uni.removeStorageSync(name)
    } catch {
      // not kept
    }
  },
}
