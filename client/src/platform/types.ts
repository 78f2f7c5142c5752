/** What the app needs from the place it runs in. One implementation per target; pages know only this. */
import type { Heard, Request, Sent } from '@/api/request'

export type SignInWay = 'silent' | 'sso' | 'code'

/** What is posted to the service to sign in without a word. */
export interface SilentSignIn {
  path: '/login/mini' | '/login/official' | '/login/wecom'
  json: Record<string, string>
  /** It came with the address, from a page that was left: if it is refused, there may be another way. */
  returned?: boolean
}

/** Why a platform did not do what was asked. `cancelled`: the person said no; `untyped`: let them type it. */
export class PlatformSays extends Error {
  constructor(
    readonly why: 'cancelled' | 'unavailable' | 'refused' | 'type',
    detail = '',
  ) {
    super(detail || why)
  }
}

export type SubscribeAnswer = 'accept' | 'reject' | 'ban'

export interface Platform {
  readonly name: 'h5' | 'mp-weixin' | 'mp-alipay'
  /** Appended to what is kept on the phone: the simulator plays several people's phones in one browser. */
  readonly drawer: string
  /** False where it cannot be known whose kept sign-in it is: then everybody signs in afresh. */
  readonly keepsSession: boolean
  /** The ways in that a person can be offered here. */
  ways(): SignInWay[]
  send(request: Sent): Promise<Heard>
  /** A code to sign in with; null when a person has to do something; never settles when the page is being left. */
  silentSignIn(request: Request): Promise<SilentSignIn | null>
  openSso(url: string): Promise<void>
  /** What was scanned, as text. PlatformSays('type') when there is no scanner here, or the person prefers to type. */
  scan(request: Request): Promise<string>
  /** Must be called in a tap. Ids that could not be asked about are left out. */
  askSubscribe(ids: string[]): Promise<Record<string, SubscribeAnswer>>
  /** The platform's own privacy sheet, where it has one. */
  agreePrivacy(): Promise<boolean>
  /** A one-time code for the phone number this platform knows, where it gives one without its own button. */
  phoneCode(): Promise<string>
  readonly givesPhone: 'ask' | 'button' | 'no'
  /** Photos as addresses an <image> can show, at once; they are made small when their bytes are asked for. */
  choosePhotos(count: number): Promise<string[]>
  bytes(path: string): Promise<{ type: string; data: ArrayBuffer }>
  /** A picture that needs our Authorization header, as something an <image> can show. */
  picture(url: string, headers: Record<string, string>): Promise<string>
  setTitle(title: string): void
  /** Somebody outside changed the address (a link into the page that is open already). */
  onAddress(run: (page: string) => void): void
  /** Hand a text over to the person: a download, or the clipboard. Says which. */
  handOver(name: string, text: string): Promise<'file' | 'clipboard'>
}
