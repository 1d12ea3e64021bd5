"""Inserts one row after another into whichever PostgreSQL takes writes, and prints the number of each that was acknowledged.

Usage: writer.py HOSTS PORTS, each with commas between. A number is used once, whatever becomes of it.
"""

import sys
import time

import psycopg2

number = 0
while True:
    try:
        db = psycopg2.connect(host=sys.argv[1], port=sys.argv[2], dbname='postgres', user='postgres', password='secret',
                              target_session_attrs='read-write', connect_timeout=3)
        db.autocommit = True
        cursor = db.cursor()
        cursor.execute('CREATE TABLE IF NOT EXISTS rows (number bigint PRIMARY KEY)')
        while True:
            number += 1
            del db.notices[:]
            cursor.execute('INSERT INTO rows VALUES (%s)', (number,))
            # A commit that was not waited for to be on the other server comes with a warning.
            if not db.notices:
                print(number, flush=True)
            time.sleep(0.02)
    except psycopg2.Error as error:
        print(error, file=sys.stderr, flush=True)
        time.sleep(0.2)
