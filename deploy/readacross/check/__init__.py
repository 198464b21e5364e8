"""`readacross check`: do the files agree with each other, and does every partner they name answer?"""
