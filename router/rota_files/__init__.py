"""Rotas as files bring them: CSV and iCalendar to blocks of time, every row that cannot be used with its reason."""
