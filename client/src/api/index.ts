/** The calls pages make. One line each; the path says the deed. */
import { request } from '@/store/session'
import type {
  Cannot, Door, Fault, Finished, Me, Message, NewRating, NewRepair, OneTimeCode, Page, Photo, Place, Privacy, Session, Ticket,
  TicketLine,
} from './model'
import { newKey, type Options } from './request'

const get = async <T>(path: string, query?: Options['query']) => (await request<T>('GET', path, { query })).data
const post = async <T>(path: string, json: unknown = {}, key?: string) => (await request<T>('POST', path, { json, key })).data

/** A move of a ticket is safe to repeat (R11): the same key, so that it counts once. */
const move = (no: string, deed: string, json: unknown = {}) => post<Ticket>(`/repairs/${no}/${deed}`, json, newKey())

const items = async <T>(path: string, query?: Options['query']) => (await get<Page<T>>(path, query)).items

export const api = {
  ssoUrl: (to: string) => get<{ url: string }>('/login/sso/url', { to }),
  loginSso: (ticket: string) => request<Session>('POST', '/login/sso', { json: { ticket }, bare: true }).then((a) => a.data),
  loginCode: (json: OneTimeCode) =>
    request<Session>('POST', '/login/code', { json, bare: true }).then((a) => a.data),
  logout: () => post<null>('/logout'),
  bindCode: (who: OneTimeCode) => post<Me>('/bindings', { way: 'code', ...who }),
  bindSso: (ticket: string) => post<Me>('/bindings', { way: 'sso', ticket }),
  unbind: async (kind: string) => void (await request<null>('DELETE', `/bindings/${kind}`)),

  me: () => get<Me>('/me'),
  consent: (version: string) => post<Me>('/me/consents', { kind: 'privacy', version }),
  setPhone: async (json: { phone: string } | { wechat_code: string }) => (await request<Me>('PUT', '/me/phone', { json })).data,
  myData: () => get<unknown>('/me/data'),
  privacy: () => get<Privacy>('/privacy'),

  places: (query: { parent?: string; q?: string }) => items<Place>('/places', { ...query, limit: 100 }),
  place: (code: string) => get<Place>(`/places/${encodeURIComponent(code)}`),
  door: (code: string) => get<Door>(`/doors/${encodeURIComponent(code)}`),

  faults: () => get<Fault[]>('/fault-types'),
  sendPhoto: (bytes: { type: string; data: ArrayBuffer }, key: string, onProgress?: (part: number) => void) =>
    request<Photo>('POST', '/photos', { bytes, key, onProgress }).then((a) => a.data),
  fileRepair: (repair: NewRepair, key: string) => post<Ticket>('/repairs', repair, key),
  similar: (place: string, fault: string) => items<TicketLine>('/repairs/suggest', { place, fault }),
  repairs: (mine: 'filed' | 'assigned', state: 'open' | 'done' | 'all', cursor?: string | null, limit = 20) =>
    get<Page<TicketLine>>('/repairs', { mine, state, cursor, limit }),
  repair: (no: string, etag?: string) => request<Ticket>('GET', `/repairs/${encodeURIComponent(no)}`, { etag }),

  cancel: (no: string, reason: string) => move(no, 'cancel', { reason }),
  accept: (no: string) => move(no, 'accept'),
  refuse: (no: string, reason: string) => move(no, 'refuse', { reason }),
  rate: (no: string, rating: NewRating) => move(no, 'rate', rating),
  take: (no: string) => move(no, 'take'),
  arrive: (no: string, door?: string) => move(no, 'arrive', door ? { door } : {}),
  finish: (no: string, done: Finished) => move(no, 'finish', done),
  cannot: (no: string, why: Cannot) => move(no, 'cannot', why),

  inbox: (cursor?: string | null) => get<Page<Message>>('/inbox', { cursor }),
  read: (id: number) => post<null>(`/inbox/${id}/read`),
  readAll: () => post<null>('/inbox/read-all'),
  unread: (etag?: string) => request<{ unread: number }>('GET', '/inbox/unread', { etag }),
  subscriptions: (why: string) => get<{ ask: string[] }>('/subscriptions', { for: why }).then((d) => d.ask),
  subscribed: (answers: Record<string, string>) => post<{ quota: Record<string, number> }>('/subscriptions', { answers }),
}
