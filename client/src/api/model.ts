/** The shapes of /api/v1 that pages read, under the names pages use. They come from /openapi.json (types.ts). */
import type { components } from './types'

type S = components['schemas']

export type IdentityKind = S['IdentityKind']
export type PlaceRef = S['PlaceRef']
export type Me = S['MeOut']
export type Session = S['SessionOut']
export type Privacy = S['PrivacyOut']
export type Place = S['PlaceOut']
export type Fault = S['FaultOut']
export type CommonFault = S['CommonFaultOut']
export type Emergency = S['EmergencyOut']
export type Door = S['DoorOut']
export type TicketState = S['RepairState']
export type TicketLine = S['TicketLineOut']
export type Ticket = S['TicketOut']
export type Step = S['StepOut']
export type Deed = Ticket['actions'][number]
export type NewRepair = S['RepairIn']
export type Severity = NonNullable<NewRepair['severity']>
export type Entry = S['EntryOut']
export type NewRating = S['RatingIn']
export type Finished = S['FinishIn']
export type Cannot = S['CannotIn']
export type OneTimeCode = S['OneTimeCodeIn']
export type Photo = S['PhotoOut']
export type Message = S['MessageOut']
export type JsConfig = S['JsConfigOut']

export interface Page<T> {
  items: T[]
  next: string | null
}
