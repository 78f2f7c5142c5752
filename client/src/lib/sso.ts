/** What single sign-on was started for: it comes back to the sign-in page with nothing but a ticket. */
import { storage } from './store'

export interface Intent {
  deed: 'sign-in' | 'bind'
  to: string
  /** The version of the privacy notice that was agreed to before leaving; it can be recorded only once somebody is known. */
  agreed?: string
}

const NAME = 'houqin.sso'
const LASTS_MS = 15 * 60000

export const keepIntent = (intent: Intent) => storage.set(NAME, { ...intent, at: Date.now() })

/** Read once: a later ticket has an intent of its own. */
export function intent(): Intent | null {
  const kept = storage.get(NAME) as (Intent & { at: number }) | null
  storage.remove(NAME)
  return kept && Date.now() - kept.at < LASTS_MS ? { deed: kept.deed, to: kept.to, agreed: kept.agreed } : null
}
