// Small helpers: elements, the control API, what stands in a chat text.

export function h(tag, attrs = {}, ...children) {
  const el = document.createElement(tag)
  for (const [name, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) continue
    if (name.startsWith('on')) el.addEventListener(name.slice(2), value)
    else if (name === 'class') el.className = value
    else el.setAttribute(name, value === true ? '' : value)
  }
  el.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false))
  return el
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg')
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use')
  use.setAttribute('href', `/static/icons.svg#${name}`)
  svg.append(use)
  svg.setAttribute('aria-hidden', 'true')
  return svg
}

export const $ = (id) => document.getElementById(id)

export async function get(path) {
  const answer = await fetch(`/control${path}`)
  if (!answer.ok) throw new Error((await answer.json().catch(() => ({}))).error || answer.statusText)
  return answer.json()
}

export async function post(path, body = {}) {
  const form = body instanceof FormData
  const answer = await fetch(`/control${path}`, {
    method: 'POST',
    body: form ? body : JSON.stringify(body),
    headers: form ? {} : { 'Content-Type': 'application/json' },
  })
  const said = await answer.json().catch(() => ({}))
  if (!answer.ok) throw new Error(said.error || answer.statusText)
  return said
}

const ENTITIES = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'", nbsp: '\u00a0', '#39': "'" }
const plain = (text) => text.replace(/&(#39|\w+);/g, (all, name) => ENTITIES[name] ?? all)

// A text with tags as pieces {tag, attrs, text}; tag is '' outside. Nothing of it is ever parsed as a page.
export function pieces(text, known) {
  const found = []
  let open = null
  let rest = String(text)
  const add = (words) => words && (open ? (open.text += plain(words)) : found.push({ tag: '', attrs: {}, text: plain(words) }))
  for (;;) {
    const at = rest.match(/<(\/?)([a-zA-Z][\w-]*)((?:"[^"]*"|'[^']*'|[^>"'])*)>/)
    if (!at) { add(rest); return found }
    add(rest.slice(0, at.index))
    rest = rest.slice(at.index + at[0].length)
    const [, closing, name, inside] = at
    const tag = name.toLowerCase()
    if (tag === 'br') add('\n')
    if (!known.includes(tag)) continue
    if (closing) { open = null; continue }
    const attrs = {}
    for (const [, key, double, single] of inside.matchAll(/([\w-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g)) attrs[key.toLowerCase()] = plain(double ?? single)
    open = { tag, attrs, text: '' }
    found.push(open)
  }
}

// Text with the two kinds of link that WeChat shows; every other tag is left out.
export function rich(text, open) {
  const out = document.createDocumentFragment()
  for (const { tag, attrs, text: words } of pieces(text, ['a'])) {
    const page = attrs['data-miniprogram-path']
    const target = page ? { page } : { url: attrs.href || '' }
    out.append(tag ? h('button', { class: 'link', type: 'button', onclick: () => open(target) }, words) : words)
  }
  return out
}

let toastTimer
export function toast(text) {
  const el = $('toast')
  el.textContent = text
  el.hidden = false
  clearTimeout(toastTimer)
  toastTimer = setTimeout(() => { el.hidden = true }, 2600)
}

export const clockText = (at) =>
  new Date(at * 1000).toLocaleTimeString('zh-CN', { hour: '2-digit', minute: '2-digit', timeZone: 'Asia/Shanghai' })
