/** How a ticket's state looks: which of four stages it has reached, and in which tone it is shown. R11. */
import type { Key } from '@/i18n'
import type { Deed, TicketState } from '@/api/model'

export type Tone = 'wait' | 'go' | 'ask' | 'ok' | 'off'

export const TONES: Record<TicketState, Tone> = {
  awaiting_approval: 'wait',
  filed: 'wait',
  assigned: 'go',
  working: 'go',
  on_hold: 'ask',
  done: 'ask',
  closed: 'ok',
  rejected: 'off',
  cancelled: 'off',
  unfixable: 'off',
}

/** Filed, assigned, being worked on, done: 0–3; closed in good order is 4. */
export const STAGES: Record<TicketState, number> = {
  awaiting_approval: 0,
  filed: 0,
  assigned: 1,
  working: 2,
  on_hold: 2,
  done: 3,
  closed: 4,
  rejected: -1,
  cancelled: -1,
  unfixable: -1,
}

export const OPEN: TicketState[] = ['awaiting_approval', 'filed', 'assigned', 'working', 'on_hold', 'done']

export const isOpen = (state: TicketState) => OPEN.includes(state)

/** The one sentence under the state: what happens next, in the requester's words. */
export const NEXT_KEYS: Record<TicketState, Key> = {
  awaiting_approval: 'next.awaiting_approval',
  filed: 'next.filed',
  assigned: 'next.assigned',
  working: 'next.working',
  on_hold: 'next.on_hold',
  done: 'next.done',
  closed: 'next.closed',
  rejected: 'next.rejected',
  cancelled: 'next.cancelled',
  unfixable: 'next.unfixable',
}

const REQUESTER: Deed[] = ['accept', 'refuse', 'rate', 'cancel']
const WORKER: Deed[] = ['take', 'arrive', 'finish', 'cannot']

/** Deeds in the order in which a thumb meets them; what is not known is not shown. */
export function sortDeeds(actions: string[]): { requester: Deed[]; worker: Deed[] } {
  return {
    requester: REQUESTER.filter((deed) => actions.includes(deed)),
    worker: WORKER.filter((deed) => actions.includes(deed)),
  }
}

/** The worker's one big button: take it, be there, finish it. Being there counts since the job was last given out. */
export function nextForWorker(actions: string[], steps: { action: string; at: string }[]): Deed | null {
  if (actions.includes('take')) return 'take'
  if (actions.includes('arrive')) {
    const last = [...steps].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).map((s) => s.action)
    const round = last.slice(Math.max(last.lastIndexOf('assign'), last.lastIndexOf('reassign'), last.lastIndexOf('take'), last.lastIndexOf('refuse')) + 1)
    if (!round.includes('arrive') || !actions.includes('finish')) return 'arrive'
  }
  return actions.includes('finish') ? 'finish' : null
}
