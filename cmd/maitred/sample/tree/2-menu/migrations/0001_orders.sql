CREATE TABLE orders (
    id    TEXT PRIMARY KEY,
    pizza TEXT NOT NULL,
    times INTEGER NOT NULL DEFAULT 1,
    at    INTEGER NOT NULL
);
CREATE INDEX orders_at ON orders (at);
