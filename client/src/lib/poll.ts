/** What a page waits for is asked again while the page is open: ETag to keep it light, Retry-After for the pace. */
import { onHide, onShow, onUnload } from '@dcloudio/uni-app'
import { ref, type Ref } from 'vue'
import { ApiError, type Answer } from '@/api/request'

const USUAL_S = 10
const LONGEST_S = 120

export interface Polled<T> {
  data: Ref<T | null>
  error: Ref<unknown>
  heardAt: Ref<number>
  refresh: () => Promise<void>
  take: (data: T) => void
}

export function nextPause(answered: { retryAfterS: number | null } | null, failures: number): number {
  if (answered) return Math.min(Math.max(answered.retryAfterS ?? USUAL_S, 2), LONGEST_S)
  return Math.min(USUAL_S * 2 ** Math.min(failures, 4), LONGEST_S)
}

export function usePolled<T>(ask: (etag?: string) => Promise<Answer<T>>): Polled<T> {
  const data = ref(null) as Ref<T | null>
  const error = ref<unknown>(null)
  const heardAt = ref(0)
  let etag: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let shown = false
  let failures = 0

  async function refresh(): Promise<void> {
    clearTimeout(timer)
    let answer: Answer<T> | null = null
    try {
      answer = await ask(data.value === null ? undefined : etag)
      if (answer.status !== 304) data.value = answer.data
      etag = answer.etag ?? etag
      error.value = null
      failures = 0
      heardAt.value = Date.now()
    } catch (problem) {
      error.value = problem
      failures += 1
      const final = problem instanceof ApiError && problem.status >= 400 && problem.status < 500 && problem.status !== 429
      if (final) return // asking again would not change it
    }
    if (shown) timer = setTimeout(() => void refresh(), nextPause(answer, failures) * 1000)
  }

  onShow(() => {
    shown = true
    if (data.value !== null) void refresh()
  })
  onHide(() => {
    shown = false
    clearTimeout(timer)
  })
  onUnload(() => {
    shown = false
    clearTimeout(timer)
  })

  return {
    data,
    error,
    heardAt,
    refresh,
    take: (fresh) => {
      data.value = fresh
      etag = undefined
      error.value = null
    },
  }
}
