// A SAMP client over the Web Profile: XML-RPC to the hub of the visitor's own desktop (SAMP 1.3, chapters 3 and 5).
"use strict";

const samp = (() => {
  // Fixed by the standard, section 5.2.2. Some systems resolve localhost to ::1, where few hubs listen.
  const HUBS = ["http://localhost:21012/", "http://127.0.0.1:21012/"];

  class SampFault extends Error {}

  // -- XML-RPC: SAMP has strings, lists and maps alone (section 3.3)

  function encode(document, value) {
    const wrapped = document.createElement("value");
    if (Array.isArray(value)) {
      const data = document.createElement("data");
      data.append(...value.map((item) => encode(document, item)));
      const list = document.createElement("array");
      list.append(data);
      wrapped.append(list);
    } else if (typeof value === "object") {
      const struct = document.createElement("struct");
      for (const [key, item] of Object.entries(value)) {
        const member = document.createElement("member");
        const name = document.createElement("name");
        name.textContent = key;
        member.append(name, encode(document, item));
        struct.append(member);
      }
      wrapped.append(struct);
    } else {
      const text = document.createElement("string");
      text.textContent = value;
      wrapped.append(text);
    }
    return wrapped;
  }

  function writeCall(method, values) {
    const call = document.implementation.createDocument(null, "methodCall");
    const name = call.createElement("methodName");
    name.textContent = method;
    const params = call.createElement("params");
    for (const value of values) {
      const param = call.createElement("param");
      param.append(encode(call, value));
      params.append(param);
    }
    call.documentElement.append(name, params);
    return `<?xml version="1.0"?>${new XMLSerializer().serializeToString(call)}`;
  }

  const within = (element, name) => [...element.children].filter((child) => child.tagName === name);

  function decode(wrapped) {
    const typed = wrapped.children[0];
    if (typed === undefined) return wrapped.textContent; // a string without a type
    if (typed.tagName === "array") return within(within(typed, "data")[0], "value").map(decode);
    if (typed.tagName !== "struct") return typed.textContent;
    return Object.fromEntries(
      within(typed, "member").map((member) => [within(member, "name")[0].textContent, decode(within(member, "value")[0])]),
    );
  }

  function readAnswer(text) {
    const answer = new DOMParser().parseFromString(text, "text/xml");
    const fault = answer.querySelector("methodResponse > fault > value");
    if (fault) throw new SampFault(decode(fault).faultString);
    const value = answer.querySelector("methodResponse > params > param > value");
    return value ? decode(value) : "";
  }

  async function ask(hub, method, values, options = {}) {
    const response = await fetch(hub, {
      method: "POST",
      headers: { "Content-Type": "text/xml" },
      body: writeCall(`samp.webhub.${method}`, values),
      ...options,
    });
    if (!response.ok) throw new SampFault(`the hub answers with status ${response.status}`);
    return readAnswer(await response.text());
  }

  // -- a client

  class Client {
    constructor(hub, key) {
      this.hub = hub;
      this.key = key;
    }

    ask(method, ...values) {
      return ask(this.hub, method, [this.key, ...values]);
    }

    // Who takes a message: [{ id, name }].
    async listSubscribed(mtype) {
      const ids = Object.keys(await this.ask("getSubscribedClients", mtype));
      const metadata = await Promise.all(ids.map((id) => this.ask("getMetadata", id)));
      return ids.map((id, index) => ({ id, name: metadata[index]["samp.name"] || id }));
    }

    // To one client, or to all who take it.
    notify(id, mtype, params) {
      const message = { "samp.mtype": mtype, "samp.params": params };
      return id === null ? this.ask("notifyAll", message) : this.ask("notify", id, message);
    }

    // Also while the page is being left.
    unregister() {
      return ask(this.hub, "unregister", [this.key], { keepalive: true });
    }
  }

  async function findHub() {
    for (const hub of HUBS) {
      try {
        await ask(hub, "ping", []);
        return hub;
      } catch {
        // the next one, perhaps
      }
    }
    return null;
  }

  // Register under a name; the hub asks its user first. Null when there is no hub, SampFault when the user refuses.
  async function register(name, description) {
    const hub = await findHub();
    if (hub === null) return null;
    const told = await ask(hub, "register", [{ "samp.name": name }]);
    const client = new Client(hub, told["samp.private-key"]);
    await client.ask("declareMetadata", { "samp.name": name, "samp.description.text": description });
    return client;
  }

  return { register, SampFault };
})();
