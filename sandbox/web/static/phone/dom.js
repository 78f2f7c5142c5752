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

// Text with the two kinds of link that WeChat shows; every other tag becomes its text.
export function rich(text, open) {
  const parsed = new DOMParser().parseFromString(`<body>${text}</body>`, 'text/html')
  const out = document.createDocumentFragment()
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) out.append(node.textContent)
    else if (node.nodeName === 'A') {
      const page = node.getAttribute('data-miniprogram-path')
      const target = page ? { page } : { url: node.getAttribute('href') || '' }
      out.append(h('button', { class: 'link', type: 'button', onclick: () => open(target) }, node.textContent))
    } else if (node.nodeName === 'BR') out.append('\n')
    else node.childNodes.forEach(walk)
  }
  parsed.body.childNodes.forEach(walk)
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
