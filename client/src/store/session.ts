/** Who is signed in. Pages wait for `started()`, then read `session`. */
import { reactive } from 'vue'
import type { Me, Session } from '@/api/model'
import { ApiError, createRequester } from '@/api/request'
import { storage } from '@/lib/store'
import { platform } from '@/platform'

const NAME = 'houqin.session'

interface Kept {
  token: string
  expires_at: string
  bound: boolean
  base: string
}

export const session = reactive({
  token: null as string | null,
  bound: false,
  me: null as Me | null,
  /** Why signing in without a word failed, if it did. */
  failed: null as unknown,
})

export const request = createRequester({
  send: (sent) => platform.send(sent),
  sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
  token: () => session.token,
  renew: () => renew(),
})

export function adopt(given: Session): void {
  session.token = given.token
  session.bound = given.bound
  session.me = given.me
  session.failed = null
  keep({ token: given.token, expires_at: given.expires_at, bound: given.bound, base: __BASE_URL__ })
}

export function adoptMe(me: Me): void {
  session.me = me
  if (session.bound) return
  session.bound = true
  const kept = found()
  if (kept) keep({ ...kept, bound: true })
}

const found = () => (platform.keepsSession ? (storage.get(NAME) as Kept | null) : null)
const keep = (kept: Kept) => platform.keepsSession && storage.set(NAME, kept)

export function forget(): void {
  Object.assign(session, { token: null, bound: false, me: null })
  storage.remove(NAME)
  starting = null
}

let starting: Promise<void> | null = null
let renewing: Promise<boolean> | null = null
let comesBackTo: string | null = null

/** Where somebody wanted to be before OAuth took them away; told once. */
export function cameBackTo(): string | null {
  const to = comesBackTo
  comesBackTo = null
  return to
}

/** Signed in if that is possible without asking anybody. Never throws: `session.failed` says why not. */
export function started(): Promise<void> {
  starting ??= start().catch((error) => {
    session.failed = error
    starting = null // the next page may try again
  })
  return starting
}

async function start(): Promise<void> {
  const kept = found()
  if (kept?.token && kept.base === __BASE_URL__ && Date.parse(kept.expires_at) > Date.now()) {
    session.token = kept.token
    session.bound = kept.bound
    if (!kept.bound) {
      await signIn().catch(() => false) // perhaps bound elsewhere meanwhile
      return
    }
    session.me = (await request<Me>('GET', '/me')).data
    return
  }
  await signIn()
}

async function signIn(): Promise<boolean> {
  const silent = await platform.silentSignIn(request)
  if (!silent) return false
  let given: Session
  try {
    given = (await request<Session>('POST', silent.path, { json: silent.json, bare: true })).data
  } catch (error) {
    if (silent.returned && error instanceof ApiError && error.status >= 400 && error.status < 500) return signIn()
    throw error
  }
  adopt(given)
  if (given.to) comesBackTo = given.to
  return true
}

/** The token was refused: sign in again without a word, once for everybody who is waiting. */
function renew(): Promise<boolean> {
  renewing ??= (async () => {
    forget()
    try {
      return await signIn()
    } catch (error) {
      session.failed = error
      return false
    }
  })().finally(() => {
    renewing = null
  })
  return renewing
}

/** A person asked for the silent way again (a button on the sign-in page). */
export async function signInAgain(): Promise<boolean> {
  session.failed = null
  return signIn()
}
