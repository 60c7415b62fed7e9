"""The confirm page: title, who asks, button, what else to do, success, and the one answer for every failure."""
# ruff: noqa: RUF001 - letters of other scripts are meant

RIGHT_TO_LEFT = frozenset({"ar", "fa", "he"})

TEXTS = {
    "en": (
        "Confirm your request",
        "{app} asks you to confirm your request.",
        "Confirm",
        "If you did not expect this, close this page. Nothing will happen.",
        "Confirmed. You can close this page.",
        "This could not be confirmed. The link may have expired or been used already. Please ask for a new one.",
    ),
    "ar": (
        "تأكيد الطلب",
        "يطلب منك {app} تأكيد طلبك.",
        "تأكيد",
        "إذا لم تكن تتوقع ذلك، فأغلق هذه الصفحة ولن يحدث شيء.",
        "تم التأكيد. يمكنك إغلاق هذه الصفحة.",
        "تعذّر التأكيد. ربما انتهت صلاحية الرابط أو سبق استخدامه. يرجى طلب رابط جديد.",
    ),
    "cs": (
        "Potvrzení žádosti",
        "{app} vás žádá o potvrzení vaší žádosti.",
        "Potvrdit",
        "Pokud jste to nečekali, zavřete tuto stránku. Nic se nestane.",
        "Potvrzeno. Tuto stránku můžete zavřít.",
        "Potvrzení se nezdařilo. Platnost odkazu možná vypršela nebo už byl použit. Požádejte o nový.",
    ),
    "da": (
        "Bekræft din anmodning",
        "{app} beder dig bekræfte din anmodning.",
        "Bekræft",
        "Hvis du ikke havde ventet dette, skal du lukke siden. Så sker der ikke noget.",
        "Bekræftet. Du kan lukke siden.",
        "Det kunne ikke bekræftes. Linket er måske udløbet eller allerede brugt. Bed om et nyt.",
    ),
    "de": (
        "Anfrage bestätigen",
        "{app} bittet Sie, Ihre Anfrage zu bestätigen.",
        "Bestätigen",
        "Falls Sie das nicht erwartet haben, schließen Sie diese Seite. Dann passiert nichts.",
        "Bestätigt. Sie können diese Seite schließen.",
        (
            "Die Bestätigung war nicht möglich. Der Link ist vielleicht abgelaufen oder wurde schon verwendet. "
            "Bitte fordern Sie einen neuen an."
        ),
    ),
    "el": (
        "Επιβεβαίωση αιτήματος",
        "{app}: επιβεβαιώστε το αίτημά σας.",
        "Επιβεβαίωση",
        "Αν δεν το περιμένατε, κλείστε αυτή τη σελίδα. Δεν θα συμβεί τίποτα.",
        "Επιβεβαιώθηκε. Μπορείτε να κλείσετε αυτή τη σελίδα.",
        (
            "Η επιβεβαίωση δεν ήταν δυνατή. Ο σύνδεσμος μπορεί να έχει λήξει ή να έχει ήδη χρησιμοποιηθεί. "
            "Ζητήστε νέο σύνδεσμο."
        ),
    ),
    "es": (
        "Confirma tu solicitud",
        "{app} te pide que confirmes tu solicitud.",
        "Confirmar",
        "Si no esperabas este mensaje, cierra esta página. No ocurrirá nada.",
        "Confirmado. Ya puedes cerrar esta página.",
        "No se ha podido confirmar. Es posible que el enlace haya caducado o ya se haya utilizado. Solicita uno nuevo.",
    ),
    "fa": (
        "تأیید درخواست",
        "{app} از شما می‌خواهد درخواستتان را تأیید کنید.",
        "تأیید",
        "اگر منتظر این پیام نبودید، این صفحه را ببندید؛ هیچ اتفاقی نمی‌افتد.",
        "تأیید شد. می‌توانید این صفحه را ببندید.",
        "تأیید انجام نشد. ممکن است پیوند منقضی شده یا قبلاً استفاده شده باشد. لطفاً پیوند جدیدی درخواست کنید.",
    ),
    "fi": (
        "Vahvista pyyntösi",
        "{app} pyytää sinua vahvistamaan pyyntösi.",
        "Vahvista",
        "Jos et odottanut tätä, sulje sivu. Silloin mitään ei tapahdu.",
        "Vahvistettu. Voit sulkea tämän sivun.",
        "Vahvistaminen ei onnistunut. Linkki on ehkä vanhentunut tai jo käytetty. Pyydä uusi linkki.",
    ),
    "fr": (
        "Confirmer votre demande",
        "{app} vous invite à confirmer votre demande.",
        "Confirmer",
        "Si vous n'attendiez pas ce message, fermez cette page. Rien ne se passera.",
        "C'est confirmé. Vous pouvez fermer cette page.",
        (
            "La confirmation n'a pas abouti. Le lien a peut-être expiré ou déjà été utilisé. "
            "Veuillez en demander un nouveau."
        ),
    ),
    "he": (
        "אישור הבקשה",
        "נדרש אישור שלך לבקשה ב-{app}.",
        "אישור",
        "אם לא ציפית לכך, אפשר לסגור את הדף ודבר לא יקרה.",
        "האישור התקבל. אפשר לסגור את הדף.",
        "לא ניתן היה לאשר. ייתכן שתוקף הקישור פג או שכבר נעשה בו שימוש. יש לבקש קישור חדש.",
    ),
    "hu": (
        "Kérés megerősítése",
        "{app}: kérjük, erősítse meg a kérését.",
        "Megerősítés",
        "Ha nem számított erre, zárja be az oldalt. Nem fog történni semmi.",
        "Megerősítve. Bezárhatja ezt az oldalt.",
        "A megerősítés nem sikerült. Lehet, hogy a hivatkozás lejárt, vagy már felhasználták. Kérjen újat.",
    ),
    "id": (
        "Konfirmasi permintaan",
        "{app} meminta Anda mengonfirmasi permintaan Anda.",
        "Konfirmasi",
        "Jika Anda tidak mengharapkan pesan ini, tutup halaman ini. Tidak akan terjadi apa-apa.",
        "Terkonfirmasi. Anda dapat menutup halaman ini.",
        "Konfirmasi gagal. Tautan mungkin sudah kedaluwarsa atau sudah digunakan. Silakan minta tautan baru.",
    ),
    "it": (
        "Conferma la tua richiesta",
        "{app} ti chiede di confermare la tua richiesta.",
        "Conferma",
        "Se non ti aspettavi questo messaggio, chiudi questa pagina. Non succederà nulla.",
        "Confermato. Puoi chiudere questa pagina.",
        (
            "Non è stato possibile confermare. Il link potrebbe essere scaduto o essere già stato usato. "
            "Richiedine uno nuovo."
        ),
    ),
    "ja": (
        "お手続きの確認",
        "{app}からの確認のお願いです。",
        "確認する",
        "お心当たりがない場合は、このページを閉じてください。手続きは行われません。",
        "確認が完了しました。このページは閉じていただけます。",
        (
            "確認できませんでした。リンクの有効期限が切れているか、すでに使用されている可能性があります。"
            "新しいリンクをリクエストしてください。"
        ),
    ),
    "ko": (
        "요청 확인",
        "{app}에서 요청 확인을 부탁드립니다.",
        "확인",
        "예상하지 못한 메시지라면 이 페이지를 닫아 주세요. 아무 일도 일어나지 않습니다.",
        "확인되었습니다. 이 페이지를 닫으셔도 됩니다.",
        "확인하지 못했습니다. 링크가 만료되었거나 이미 사용되었을 수 있습니다. 새 링크를 요청해 주세요.",
    ),
    "nb": (
        "Bekreft forespørselen din",
        "{app} ber deg bekrefte forespørselen din.",
        "Bekreft",
        "Hvis du ikke ventet dette, kan du lukke siden. Da skjer det ingenting.",
        "Bekreftet. Du kan lukke siden.",
        "Det kunne ikke bekreftes. Lenken kan være utløpt eller allerede brukt. Be om en ny.",
    ),
    "nl": (
        "Bevestig je verzoek",
        "{app} vraagt je om je verzoek te bevestigen.",
        "Bevestigen",
        "Verwachtte je dit niet? Sluit dan deze pagina. Er gebeurt dan niets.",
        "Bevestigd. Je kunt deze pagina sluiten.",
        "Bevestigen is niet gelukt. De link is misschien verlopen of al gebruikt. Vraag een nieuwe aan.",
    ),
    "pl": (
        "Potwierdzenie",
        "{app} prosi Cię o potwierdzenie.",
        "Potwierdź",
        "Jeśli nie spodziewasz się tej prośby, zamknij tę stronę. Nic się nie stanie.",
        "Potwierdzono. Możesz zamknąć tę stronę.",
        "Nie udało się potwierdzić. Link mógł wygasnąć lub został już użyty. Poproś o nowy.",
    ),
    "pt-BR": (
        "Confirme sua solicitação",
        "{app} pede que você confirme sua solicitação.",
        "Confirmar",
        "Se você não esperava esta mensagem, feche esta página. Nada acontecerá.",
        "Confirmado. Você já pode fechar esta página.",
        "Não foi possível confirmar. O link pode ter expirado ou já ter sido usado. Solicite um novo.",
    ),
    "pt-PT": (
        "Confirme o seu pedido",
        "{app} pede-lhe que confirme o seu pedido.",
        "Confirmar",
        "Se não esperava esta mensagem, feche esta página. Nada acontecerá.",
        "Confirmado. Já pode fechar esta página.",
        "Não foi possível confirmar. A ligação pode ter expirado ou já ter sido utilizada. Peça uma nova.",
    ),
    "ro": (
        "Confirmați solicitarea",
        "{app} vă roagă să confirmați solicitarea dvs.",
        "Confirmați",
        "Dacă nu vă așteptați la acest mesaj, închideți pagina. Nu se va întâmpla nimic.",
        "Confirmat. Puteți închide această pagină.",
        (
            "Confirmarea nu a reușit. Este posibil ca linkul să fi expirat sau să fi fost deja folosit. "
            "Solicitați unul nou."
        ),
    ),
    "ru": (
        "Подтверждение запроса",
        "{app} просит подтвердить ваш запрос.",
        "Подтвердить",
        "Если вы этого не ожидали, закройте страницу. Ничего не произойдёт.",
        "Подтверждено. Эту страницу можно закрыть.",
        "Не удалось подтвердить. Возможно, срок действия ссылки истёк или она уже использована. Запросите новую.",
    ),
    "sv": (
        "Bekräfta din begäran",
        "{app} ber dig att bekräfta din begäran.",
        "Bekräfta",
        "Om du inte väntade dig detta kan du stänga sidan. Då händer ingenting.",
        "Bekräftat. Du kan stänga sidan.",
        "Det gick inte att bekräfta. Länken kan ha gått ut eller redan ha använts. Be om en ny.",
    ),
    "tr": (
        "Talebinizi onaylayın",
        "{app}, talebinizi onaylamanızı istiyor.",
        "Onayla",
        "Bunu beklemiyorsanız bu sayfayı kapatın. Hiçbir şey olmaz.",
        "Onaylandı. Bu sayfayı kapatabilirsiniz.",
        (
            "Onaylanamadı. Bağlantının süresi dolmuş veya bağlantı daha önce kullanılmış olabilir. "
            "Lütfen yeni bir bağlantı isteyin."
        ),
    ),
    "uk": (
        "Підтвердження запиту",
        "{app} просить підтвердити ваш запит.",
        "Підтвердити",
        "Якщо ви цього не очікували, закрийте сторінку. Нічого не станеться.",
        "Підтверджено. Цю сторінку можна закрити.",
        "Не вдалося підтвердити. Можливо, термін дії посилання минув або його вже використано. Запросіть нове.",
    ),
    "vi": (
        "Xác nhận yêu cầu",
        "{app} đề nghị bạn xác nhận yêu cầu của mình.",
        "Xác nhận",
        "Nếu bạn không chờ tin nhắn này, hãy đóng trang. Sẽ không có gì xảy ra.",
        "Đã xác nhận. Bạn có thể đóng trang này.",
        "Không thể xác nhận. Liên kết có thể đã hết hạn hoặc đã được sử dụng. Vui lòng yêu cầu liên kết mới.",
    ),
    "zh-Hans": (
        "确认请求",
        "{app} 请您确认本次请求。",
        "确认",
        "如果这不是您的操作，请关闭本页面，不会有任何影响。",
        "已确认。您可以关闭本页面。",
        "无法确认。链接可能已过期或已被使用，请重新获取。",
    ),
    "zh-Hant": (
        "確認要求",
        "{app} 請您確認本次要求。",
        "確認",
        "如果這不是您的操作，請關閉本頁面，不會有任何影響。",
        "已確認。您可以關閉本頁面。",
        "無法確認。連結可能已過期或已被使用，請重新索取。",
    ),
}
