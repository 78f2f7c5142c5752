// The console may leave this frame for its own sign-in pages; the link always opens where it began.
const right = document.querySelector('iframe[name="console"]')
document.getElementById('open').addEventListener('click', () => right.blur())
