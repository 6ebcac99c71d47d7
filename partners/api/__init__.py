"""The REST API's foundation (who asks, in which tenant, how errors and pages look) and the bottom floor's routes."""
