// Stock of a small shop: items come in, go out, and are summed by category.

export interface Item {
  sku: string;
  name: string;
  category: string;
  quantity: number;
  price: number;
}

export interface CategoryTotal {
  category: string;
  quantity: number;
  value: number;
}

export class OutOfStockError extends Error {
  constructor(public readonly sku: string, public readonly missing: number) {
    super(`${sku}: ${missing} missing`);
    this.name = "OutOfStockError";
  }
}

export class Inventory {
  private readonly items = new Map<string, Item>();

  add(item: Item): void {
    const existing = this.items.get(item.sku);
    if (existing) {
      existing.quantity += item.quantity;
      return;
    }
    this.items.set(item.sku, { ...item });
  }

  remove(sku: string, quantity: number): void {
    const item = this.require(sku);
    if (item.quantity < quantity) {
      throw new OutOfStockError(sku, quantity - item.quantity);
    }
    item.quantity -= quantity;
  }

  quantity(sku: string): number {
    return this.items.get(sku)?.quantity ?? 0;
  }

  totals(): CategoryTotal[] {
    const totals = new Map<string, CategoryTotal>();
    for (const item of this.items.values()) {
      const total = totals.get(item.category) ?? {
        category: item.category,
        quantity: 0,
        value: 0,
      };
      total.quantity += item.quantity;
      total.value += item.quantity * item.price;
      totals.set(item.category, total);
    }
    return [...totals.values()].sort((a, b) => b.value - a.value);
  }

  private require(sku: string): Item {
    const item = this.items.get(sku);
    if (!item) {
      throw new Error(`unknown item: ${sku}`);
    }
    return item;
  }
}

const inventory = new Inventory();
inventory.add({ sku: "A1", name: "Notebook", category: "paper", quantity: 10, price: 3.5 });
inventory.add({ sku: "B2", name: "Pencil", category: "writing", quantity: 40, price: 0.8 });
inventory.remove("A1", 2);
console.log(inventory.totals());
