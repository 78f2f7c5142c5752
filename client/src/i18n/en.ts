import type { Words } from './index'

/** English, for those who read no Chinese; what is missing here is shown in Chinese. */
export const en: Words = {}
