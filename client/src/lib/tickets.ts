/** One list of tickets, page after page by cursor. */
import { ref, type Ref } from 'vue'
import { api } from '@/api'
import type { TicketLine } from '@/api/model'

export interface TicketList {
  items: Ref<TicketLine[] | null>
  next: Ref<string | null>
  error: Ref<unknown>
  moreError: Ref<unknown>
  reload: () => Promise<void>
  more: () => Promise<void>
  clear: () => void
}

export function useTickets(mine: 'filed' | 'assigned', state: Ref<'open' | 'done'>): TicketList {
  const items = ref<TicketLine[] | null>(null)
  const next = ref<string | null>(null)
  const error = ref<unknown>(null)
  const moreError = ref<unknown>(null)
  let asked = 0
  let growing = false

  async function reload() {
    const mark = ++asked
    error.value = null
    try {
      const page = await api.repairs(mine, state.value)
      if (mark !== asked) return // another tab was chosen meanwhile
      items.value = page.items
      next.value = page.next
      moreError.value = null
    } catch (problem) {
      if (mark === asked && items.value === null) error.value = problem
    }
  }

  async function more() {
    if (!next.value || growing) return
    growing = true
    const mark = asked
    try {
      const page = await api.repairs(mine, state.value, next.value)
      if (mark !== asked) return
      const seen = new Set(items.value?.map((i) => i.no))
      items.value = [...(items.value ?? []), ...page.items.filter((i) => !seen.has(i.no))]
      next.value = page.next
      moreError.value = null
    } catch (problem) {
      moreError.value = problem
    } finally {
      growing = false
    }
  }

  function clear() {
    items.value = null
    next.value = null
  }

  return { items, next, error, moreError, reload, more, clear }
}
