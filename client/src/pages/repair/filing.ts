/** The deed behind the form: where, what, photos, send. The page only draws it. R1, R2, R4, R5 */
import { computed, reactive, ref, watch } from 'vue'
import { api } from '@/api'
import type { CommonFault, Emergency, Fault, NewRepair, PlaceRef, TicketLine } from '@/api/model'
import { ApiError, newKey } from '@/api/request'
import { t } from '@/i18n'
import { scanDoor } from '@/lib/door-scan'
import { asNewRepair, dropDraft, emptyDraft, foundDraft, isWorthKeeping, keepDraft, unnamedFault, type Draft } from '@/lib/draft'
import { say } from '@/lib/nav'
import { picture } from '@/lib/picture'
import { storage } from '@/lib/store'
import { askFor, idsToAskFor } from '@/lib/subscribe'
import { campusIso } from '@/lib/time'
import { usePhotos } from '@/lib/uploader'
import { errorText } from '@/lib/words'

const SIX = 6
// a mobile, a landline or a short campus number
const PHONE = /^(?:1[3-9]\d{9}|0\d{2,3}-?\d{7,8}|[2-9]\d{2,7})$/

export function useFiling() {
  const draft = reactive<Draft>(emptyDraft(Date.now()))
  const photos = usePhotos(9)
  const loading = ref(true)
  const error = ref<unknown>(null)
  const common = ref<CommonFault[]>([])
  const tree = ref<Fault[]>([])
  const here = ref<TicketLine[]>([])
  const same = ref<TicketLine[]>([])
  const sending = ref(false)
  const trouble = ref('')
  const emergency = ref<Emergency | null>(null)
  const restored = ref(false)
  let ids: string[] = []
  let sent = false

  const faults = computed<CommonFault[]>(() => (common.value.length ? common.value : leaves(tree.value)).slice(0, SIX))
  /** Stands in when somebody sends a photo or a few words only; a school may have none. */
  const unnamed = computed(() => unnamedFault<CommonFault | Fault>(common.value) ?? unnamedFault(tree.value))
  const hint = computed(() => find(draft.fault?.code)?.hint ?? common.value.find((f) => f.code === draft.fault?.code)?.hint ?? null)
  const find = (code: string | undefined) => (code ? (leaves(tree.value).find((f) => f.code === code) ?? null) : null)

  const isEmergency = (code: string | undefined) =>
    !!(find(code)?.emergency ?? common.value.find((fault) => fault.code === code)?.emergency)

  async function begin(door: string | null, place: string | null, wantDraft: boolean) {
    const kept = foundDraft(storage, Date.now())
    if (kept && (wantDraft || (door ? kept.door === door : !place))) {
      Object.assign(draft, kept)
      restored.value = true
      void restorePhotos(kept.photos.map((p) => p.no))
    }
    if (door) draft.door = door
    await load(place)
  }

  async function load(place: string | null = null) {
    loading.value = true
    error.value = null
    idsToAskFor('repair_file').then((found) => (ids = found))
    const forest = api.faults().then((found) => (tree.value = found))
    try {
      if (draft.door) await enter(draft.door)
      else if (place) draft.place = await api.place(place)
      if (!draft.door) await forest
      else forest.catch(() => undefined) // the door has told the six commonest; the tree can come late
    } catch (problem) {
      error.value = problem
    } finally {
      loading.value = false
    }
  }

  async function enter(door: string) {
    const found = await api.door(door)
    draft.door = door
    draft.place = found.place
    common.value = found.common_faults
    here.value = found.open_tickets
  }

  async function restorePhotos(numbers: string[]) {
    for (const no of numbers) {
      const path = await picture(`/api/v1/photos/${no}?size=thumb`).catch(() => null)
      if (path) photos.queue.restore([{ key: newKey(), no, path }])
    }
  }

  async function scan() {
    const door = await scanDoor()
    if (!door) return
    try {
      await enter(door)
    } catch (problem) {
      say(errorText(problem))
    }
  }

  function goTo(place: PlaceRef) {
    Object.assign(draft, { place, door: null })
    here.value = []
    void similar()
  }

  function choose(fault: CommonFault | Fault) {
    draft.fault = draft.fault?.code === fault.code ? null : { code: fault.code, name: fault.name }
    trouble.value = ''
    if (!draft.fault) return
    emergency.value = fault.emergency
    void similar()
  }

  async function similar() {
    same.value = []
    const { place, fault } = draft
    if (!place || !fault) return
    const found = await api.similar(place.code, fault.code).catch(() => [])
    if (draft.place?.code === place.code && draft.fault?.code === fault.code) same.value = found
  }

  function lacks(): string {
    if (!draft.place) return t('file.need_place')
    if (!draft.fault) {
      if (!draft.text.trim() && !photos.uploads.value.length) return t('file.need_what')
      if (!unnamed.value) return t('file.need_fault')
      draft.fault = { code: unnamed.value.code, name: unnamed.value.name }
    }
    if (draft.contactPhone.trim() && !PHONE.test(draft.contactPhone.trim())) return t('file.contact_phone_bad')
    return ''
  }

  /** The number of the ticket and whether a message may be sent about it; null when it was not sent. */
  async function send(): Promise<{ no: string; granted: boolean } | null> {
    if (sending.value) return null
    sending.value = true
    if (!draft.fault && !tree.value.length) tree.value = await api.faults().catch(() => [])
    trouble.value = lacks()
    if (trouble.value) {
      sending.value = false
      return null
    }
    const asked = askFor(ids).catch(() => ({ asked: 0, granted: 0 })) // first thing in the tap: WeChat insists
    try {
      if (!(await photos.queue.settled()) && !(await withoutFailed())) return null
      const repair: NewRepair = asNewRepair(draft, photos.queue.numbers, campusIso)
      // choosing such a fault has shown the stopper with its number; without this word the service refuses it (R4)
      if (isEmergency(draft.fault?.code)) repair.confirmed_emergency = true
      const ticket = await api.fileRepair(repair, draft.key)
      sent = true
      dropDraft(storage)
      return { no: ticket.no, granted: (await asked).granted > 0 }
    } catch (problem) {
      trouble.value = errorText(problem)
      // Refused outright, so nothing stands under the key: what is sent after a correction is another report.
      if (problem instanceof ApiError && [400, 422].includes(problem.status)) draft.key = newKey()
      keep()
      return null
    } finally {
      sending.value = false
    }
  }

  function withoutFailed(): Promise<boolean> {
    return new Promise((yes) => {
      void uni.showModal({
        title: t('file.photo_failed'),
        content: t('file.photo_failed_hint'),
        confirmText: t('file.photo_failed_retry'),
        cancelText: t('file.photo_failed_without'),
        success: async (r) => {
          if (!r.confirm) return yes(true)
          photos.queue.retry()
          yes(await photos.queue.settled())
        },
        fail: () => yes(false),
      })
    })
  }

  function keep() {
    if (sent) return
    draft.photos = photos.queue.numbers.map((no) => ({ no }))
    keepDraft(storage, draft, Date.now())
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  watch([draft, photos.uploads], () => {
    clearTimeout(timer)
    timer = setTimeout(keep, 500)
  })

  return {
    draft, photos, loading, error, faults, unnamed, here, same, sending, trouble, emergency, restored, hint,
    begin, load, scan, goTo, choose, send, keep, worth: () => isWorthKeeping(draft),
  }
}

function leaves(faults: Fault[]): Fault[] {
  return faults.flatMap((f) => (f.children?.length ? leaves(f.children) : [f]))
}
