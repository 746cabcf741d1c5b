"""A report on 120,000 orders that keeps more of them than it needs: "Who holds the memory of a Python program?"."""
import json


def read(number):
    return json.loads('{"id": %d, "customer": "c%d", "lines": [{"article": "a%d", "price": 12.5}]}' % (number, number % 500, number))


def index(orders):
    by_customer = {}
    for order in orders:
        by_customer.setdefault(order["customer"], []).append(dict(order))  # a copy of each
    return by_customer


orders = [read(number) for number in range(120000)]
customers = index(orders)
print(len(customers), "customers")
