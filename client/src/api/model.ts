/** The shapes of /api/v1 that pages read. One name per thing, as the API describes it. */

export type PersonKind = 'student' | 'staff' | 'worker' | 'driver' | 'visitor'
export type IdentityKind = 'official' | 'mini' | 'wecom' | 'alipay' | 'sso'

export interface PlaceRef {
  code: string
  label: string
}

export interface Me {
  name: string
  campus_no: string
  kind: PersonKind
  department: string | null
  phone_masked: string | null
  identities: { kind: IdentityKind; since: string }[]
  roles: string[]
  permissions: string[]
  consents: { privacy?: string | null }
  home_place: PlaceRef | null
  unread: number
}

export interface Session {
  token: string
  expires_at: string
  bound: boolean
  me: Me | null
  /** Where somebody wanted to be, after a sign-in that left the page. */
  to?: string | null
}

export interface Privacy {
  version: string
  title: string
  text: string
}

export interface Place {
  code: string
  name: string
  label: string
  kind: 'campus' | 'area' | 'building' | 'floor' | 'room'
  parent: string | null
  has_children: boolean
}

export interface Fault {
  code: string
  name: string
  hint: string | null
  emergency: { phone: string; text: string } | null
  children?: Fault[]
}

export interface CommonFault {
  code: string
  name: string
  hint: string | null
  /** The door says only that it is one; the fault tree has the number to call. */
  emergency: boolean | { phone: string; text: string } | null
}

export interface Door {
  place: PlaceRef
  equipment: PlaceRef | null
  open_tickets: TicketLine[]
  common_faults: CommonFault[]
  home: boolean
}

export type TicketState =
  | 'awaiting_approval'
  | 'filed'
  | 'assigned'
  | 'working'
  | 'on_hold'
  | 'done'
  | 'closed'
  | 'rejected'
  | 'cancelled'
  | 'unfixable'

export type Deed = 'cancel' | 'accept' | 'refuse' | 'rate' | 'take' | 'arrive' | 'finish' | 'cannot'

export interface TicketLine {
  no: string
  state: TicketState
  state_text: string
  place: PlaceRef
  fault: { code: string; name: string }
  text: string
  filed_at: string
  due_at: string | null
  worker_name: string | null
  urgent: boolean
}

export interface Step {
  at: string
  action: string
  action_text: string
  by: string | null
  note: string | null
}

export interface Rating {
  quality: number
  attitude: number
  speed: number
  result: number
  text: string | null
}

export interface Ticket extends TicketLine {
  way: string
  photos: { no: string; url: string; kind: 'filed' | 'finished' | 'rated' }[]
  quantity: number | null
  severity: Severity | null
  contact: { name: string | null; phone_masked: string | null; phone: string | null } | null
  window: { from: string; until: string } | null
  entry: Entry | null
  steps: Step[]
  why_me: string | null
  rating: Rating | null
  actions: Deed[]
  etag?: string
}

export type Severity = 'minor' | 'normal' | 'serious'

export interface Entry {
  nobody_home_ok: boolean
  escort: boolean
  note: string | null
}

export interface NewRepair {
  place: string
  fault: string
  text: string
  photos: string[]
  quantity?: number
  severity?: Severity
  contact_name?: string
  contact_phone?: string
  window?: { from: string; until: string }
  entry?: Entry
  door?: string
}

export interface Photo {
  no: string
  width: number
  height: number
  url: string
}

export interface Message {
  id: string | number
  kind: string
  title: string
  text: string
  at: string
  read: boolean
  page: string | null
}

export interface Page<T> {
  items: T[]
  next: string | null
}

export interface JsConfig {
  app_id: string
  timestamp: number | string
  nonce: string
  signature: string
  js_api_list: string[]
}
