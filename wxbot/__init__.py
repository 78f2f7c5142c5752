"""The door through which WeChat and WeCom push messages and events. PROTOCOLS 1.1–1.6, 2.9, 3.2, 3.3."""
