/** Asking for leave to send a message. The platform wants it in the tap, so the ids are fetched before. N3. */
import { api } from '@/api'
import { platform } from '@/platform'

export async function idsToAskFor(why: string): Promise<string[]> {
  return api.subscriptions(why).catch(() => [])
}

/** Call it first thing in a tap. The number granted; the ledger is told in the background. */
export async function askFor(ids: string[]): Promise<{ asked: number; granted: number }> {
  if (!ids.length) return { asked: 0, granted: 0 }
  const answers = await platform.askSubscribe(ids)
  if (Object.keys(answers).length) await api.subscribed(answers).catch(() => undefined)
  return { asked: Object.keys(answers).length, granted: Object.values(answers).filter((a) => a === 'accept').length }
}
