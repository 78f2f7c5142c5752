/** What every tab page does when it is shown: its title, and the tabs' names in the chosen language. */
import { locale, t, type Key } from '@/i18n'
import { platform } from '@/platform'

const NAMES: Key[] = ['tab.home', 'tab.repairs', 'tab.inbox', 'tab.me']
let named = 'zh-CN' // pages.json names them in Chinese

export function tabShown(title: Key): void {
  platform.setTitle(t(title))
  if (named === locale.value) return
  named = locale.value
  NAMES.forEach((name, index) => void uni.setTabBarItem({ index, text: t(name), fail: () => undefined }))
}
