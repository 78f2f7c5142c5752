/** What is kept on the phone. A full or forbidden storage loses the memory, not the page. */
import { platform } from '@/platform'
import type { Store } from './draft'

const own = (name: string) => `${name}${platform.drawer}`

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
