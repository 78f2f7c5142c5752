/** Consent is asked before a photo, a place by position, or a phone number is taken. P11. */
import { reactive } from 'vue'
import { api } from '@/api'
import type { Privacy } from '@/api/model'
import { platform } from '@/platform'
import { adoptMe, session } from '@/store/session'
import { t } from '@/i18n'
import { say } from './nav'
import { errorText } from './words'

export type ConsentFor = 'photo' | 'phone'

export const asking = reactive({
  open: false,
  why: 'photo' as ConsentFor,
  notice: null as Privacy | null,
  answer: null as ((yes: boolean) => void) | null,
})

/** True when the person has agreed, now or before. */
export async function consented(why: ConsentFor): Promise<boolean> {
  if (!session.me) return false
  if (!session.me.consents?.privacy) {
    asking.notice = await api.privacy().catch(() => null)
    if (!asking.notice) {
      say(t('error.offline'))
      return false
    }
    const yes = await new Promise<boolean>((answer) => Object.assign(asking, { open: true, why, answer }))
    Object.assign(asking, { open: false, answer: null })
    if (!yes) {
      say(t('privacy.refused'))
      return false
    }
    if (!(await agree(asking.notice.version))) return false
  }
  return platform.agreePrivacy()
}

export async function agree(version: string): Promise<boolean> {
  try {
    adoptMe(await api.consent(version))
    return true
  } catch (error) {
    say(errorText(error))
    return false
  }
}
