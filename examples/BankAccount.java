import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Objects;

/** An account that keeps its balance in cents and remembers every transaction. */
public class BankAccount {
    public enum Kind {
        DEPOSIT,
        WITHDRAWAL
    }

    public static class Transaction {
        private final Kind kind;
        private final long cents;

        public Transaction(Kind kind, long cents) {
            this.kind = kind;
            this.cents = cents;
        }

        public Kind getKind() {
            return kind;
        }

        public long getCents() {
            return cents;
        }

        @Override
        public String toString() {
            return kind + " " + cents;
        }
    }

    private final String owner;
    private final List<Transaction> transactions = new ArrayList<>();
    private long balance;

    public BankAccount(String owner) {
        this.owner = Objects.requireNonNull(owner, "owner");
    }

    public String getOwner() {
        return owner;
    }

    public long getBalance() {
        return balance;
    }

    public List<Transaction> getTransactions() {
        return Collections.unmodifiableList(transactions);
    }

    public void deposit(long cents) {
        if (cents <= 0) {
            throw new IllegalArgumentException("cents must be positive");
        }
        balance += cents;
        transactions.add(new Transaction(Kind.DEPOSIT, cents));
    }

    public void withdraw(long cents) {
        if (cents <= 0) {
            throw new IllegalArgumentException("cents must be positive");
        }
        if (cents > balance) {
            throw new IllegalStateException("insufficient funds");
        }
        balance -= cents;
        transactions.add(new Transaction(Kind.WITHDRAWAL, cents));
    }

    public void transferTo(BankAccount other, long cents) {
        withdraw(cents);
        other.deposit(cents);
    }

    public static void main(String[] args) {
        BankAccount first = new BankAccount("Ada");
        BankAccount second = new BankAccount("Grace");
        first.deposit(10_000);
        first.transferTo(second, 2_500);
        System.out.println(first.getOwner() + ": " + first.getBalance());
        System.out.println(second.getOwner() + ": " + second.getBalance());
    }
}
