// A small event emitter: on, once, off and emit, with listeners called in order.

class EventEmitter {
  constructor() {
    this.listeners = new Map();
  }

  on(event, listener) {
    if (!this.listeners.has(event)) {
      this.listeners.set(event, []);
    }
    this.listeners.get(event).push(listener);
    return this;
  }

  once(event, listener) {
    const wrapped = (...args) => {
      this.off(event, wrapped);
      listener(...args);
    };
    return this.on(event, wrapped);
  }

  off(event, listener) {
    const listeners = this.listeners.get(event);
    if (!listeners) {
      return this;
    }
    const index = listeners.indexOf(listener);
    if (index !== -1) {
      listeners.splice(index, 1);
    }
    if (listeners.length === 0) {
      this.listeners.delete(event);
    }
    return this;
  }

  emit(event, ...args) {
    const listeners = this.listeners.get(event);
    if (!listeners) {
      return false;
    }
    for (const listener of [...listeners]) {
      listener(...args);
    }
    return true;
  }

  listenerCount(event) {
    const listeners = this.listeners.get(event);
    return listeners ? listeners.length : 0;
  }
}

function main() {
  const emitter = new EventEmitter();
  emitter.on("greet", (name) => console.log(`hello, ${name}`));
  emitter.once("greet", (name) => console.log(`welcome, ${name}`));
  emitter.emit("greet", "Ada");
  emitter.emit("greet", "Grace");
  console.log(`listeners: ${emitter.listenerCount("greet")}`);
}

main();

module.exports = { EventEmitter };
