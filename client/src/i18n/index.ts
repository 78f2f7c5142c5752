/** Words. zh-CN is complete; another language is one more file of the same keys, and falls back to it. */
import { ref } from 'vue'
import { en } from './en'
import { zhCN } from './zh-CN'

export type Key = keyof typeof zhCN
export type Words = Partial<Record<Key, string>>
export type Locale = 'zh-CN' | 'en'

export const LOCALES: Record<Locale, { name: string; words: Words }> = {
  'zh-CN': { name: '中文', words: zhCN },
  en: { name: 'English', words: en },
}

export const locale = ref<Locale>('zh-CN')

/** The words for a key; undefined only for a key that is no Key (see `known` in lib/words). */
export function t(key: Key, facts: Record<string, string | number> = {}): string {
  const text = LOCALES[locale.value].words[key] ?? zhCN[key]
  return text?.replace(/\{(\w+)\}/g, (whole, name: string) => (name in facts ? String(facts[name]) : whole))
}
