ALTER TABLE orders ADD COLUMN note TEXT NOT NULL DEFAULT '';
CREATE TABLE specials (
    name     TEXT PRIMARY KEY,
    toppings TEXT NOT NULL,
    price    TEXT NOT NULL
);
INSERT INTO specials VALUES ('Tartufo', 'black truffle, mozzarella, rocket', '14.00');
