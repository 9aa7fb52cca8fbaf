"""Who comes to the routes of the service, and the statuses that routes of one kind give to each."""

VISITORS = ("nobody", "worker", "worker-east", "community", "subdistrict", "subdistrict-east", "district", "admin", "auditor")


def statuses(text: str) -> dict[str, int]:
    """One status for each visitor, in their order."""
    return dict(zip(VISITORS, map(int, text.split()), strict=True))


#                    nobody worker east-w community subdistrict east-s district admin auditor
OPEN = statuses("       200    200    200       200         200    200      200   200     200")
SIGNED_IN = statuses("  401    200    200       200         200    200      200   200     200")
LISTS = statuses("      401    200    200       200         200    200      200   403     403")
OWNERS = statuses("     401    200    404       200         200    404      200   403     403")
LEAVES = statuses("     401    204    404       204         204    404      204   403     403")
ACCEPTS = statuses("    401    202    404       202         202    404      202   403     403")
ENTERS = statuses("     401    201    422       201         201    422      201   403     403")
ENTERS_PEOPLE = statuses("401  202    422       202         202    422      202   403     403")
OFFICE = statuses("     401    403    403       403         403    403      200   403     403")
OFFICE_MAKES = statuses("401   403    403       403         403    403      201   403     403")
OFFICE_DROPS = statuses("401   403    403       403         403    403      204   403     403")
OFFICES_DROP = statuses("401   403    403       403         204    404      204   403     403")
ADMIN = statuses("      401    403    403       403         403    403      403   200     403")
ADMIN_MAKES = statuses("401    403    403       403         403    403      403   201     403")
HOLDERS = statuses("    401    200    200       403         403    403      200   200     403")
HOLDER = statuses("     401    200    404       403         403    403      200   200     403")
KEEPERS = statuses("    401    403    403       403         403    403      200   200     403")
HANDHELDS = statuses("  401    403    403       403         403    403      403   403     403")
AUDITOR = statuses("    401    403    403       403         403    403      403   403     200")
UNKNOWN = statuses("    401    404    404       404         404    404      404   403     403")
KEYLESS = statuses("    401    400    400       400         400    400      400   403     403")
OFFICE_SEES = statuses("404    404    404       404         404    404      200   404     404")

TOLD = statuses("       401    204    204       204         204    204      204   403     403")
BEGINS = statuses("     401    201    201       201         201    201      201   403     403")
MAKERS = statuses("     401    204    404       403         403    404      403   403     403")

FEATURE = statuses("     404    200    404       200         200    404      200   404     404")
FEATURE_MAKES = statuses("404   201    400       201         201    400      201   404     404")
FEATURE_DROPS = statuses("404   204    404       204         204    404      204   404     404")
